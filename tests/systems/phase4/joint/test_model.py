"""Phase 4: what it adds beside phase 3 changes nothing of phase 3, and learns as a whole."""

from itertools import product

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_model
from tiny_models import (
    VOCABULARY,
    build_model,
    build_phase3,
    build_phase4,
    full_batch,
    retrieval_batch,
    tiny_generation,
    tiny_scale,
)

from ubg.losses.generation import IGNORED
from ubg.runtime.checkpoint import save_weights
from ubg.training.loop import weighted_sum
from ubg.training.task import loss_weights

# Precise and dropout-free, or all at once that draws random numbers or keeps statistics.
SCALES = [
    {"positions": "1d"},
    {"positions": "2d", "dropout": 0.1, "conv_stem": True},
    {"positions": "1d", "dropout": 0.1, "conv_stem": True, "attention": "sdpa"},
]
BRANCHES = [
    {"masked_patch": patch, "decoder": decoder, "target": target}
    for patch, decoder, target in product(
        ("drop", "embedding", "grey"), ("parallel", "autoregressive"), ("masked", "whole")
    )
]


def step(model, batch, weights):
    """Gradients of one training step, by name."""
    torch.manual_seed(5)
    weighted_sum(model.train()(batch), weights).backward()
    return {name: parameter.grad for name, parameter in model.named_parameters()}


@pytest.mark.parametrize("sizes", SCALES)
@pytest.mark.parametrize("branch", BRANCHES)
def test_without_weight_gradients_and_statistics_are_exactly_those_of_phase_3(sizes, branch):
    scale, generation = tiny_scale(**sizes), tiny_generation(text_dropout=0.3, **branch)
    weights = loss_weights(scale.losses)
    phase3, phase4 = build_phase3(scale), build_phase4(scale, generation)
    expected = step(phase3, retrieval_batch(), weights)
    found = step(phase4, full_batch(generation), weights | {"gen_loss": 0.0})
    for name, gradient in expected.items():
        assert torch.equal(found[f"retrieval.{name}"], gradient), name
    buffers = dict(phase4.retrieval.named_buffers())
    for name, buffer in phase3.named_buffers():
        assert torch.equal(buffers[name], buffer), name


def test_with_weight_the_branch_teaches_the_shared_weights():
    scale, generation = tiny_scale(), tiny_generation()
    weights = loss_weights(scale.losses)
    without = step(build_phase3(scale), retrieval_batch(), weights)
    found = step(build_phase4(scale, generation), full_batch(generation), weights | {"gen_loss": 1})
    for part in ("vision.", "encoder.text.", "encoder.image_to_token", "encoder.modality"):
        names = [name for name in without if name.startswith(part)]
        assert any(not torch.equal(found[f"retrieval.{name}"], without[name]) for name in names)
    for name in without:
        if name.startswith(("image_projection", "text_projection")):  # not part of the branch
            assert torch.equal(found[f"retrieval.{name}"], without[name])


def test_the_same_seed_gives_the_weights_of_phase_3():
    scale = tiny_scale(conv_stem=True)
    expected = build_phase3(scale, seed=4).state_dict()
    found = build_phase4(scale, tiny_generation(), seed=4).retrieval.state_dict()
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[name], expected[name]) for name in expected)


@pytest.mark.parametrize("sizes", SCALES)
def test_saved_model_has_no_decoder_and_the_embeddings_of_the_trained_one(tmp_path, sizes):
    scale, generation = tiny_scale(**sizes), tiny_generation(masked_patch="embedding")
    model, batch = build_phase4(scale, generation), full_batch(generation)
    optimiser = torch.optim.SGD(model.parameters(), lr=0.1)
    step(model, batch, loss_weights(scale.losses) | {"gen_loss": 1.0})
    optimiser.step()
    model.eval()
    parts = model.saved_parts()
    assert parts.keys() == {"model", "generator"}
    save_weights(tmp_path / "model.safetensors", parts["model"])
    with safe_open(tmp_path / "model.safetensors", "pt") as file:
        names = set(file.keys())
    assert names
    assert not [name for name in names if "decoder" in name or "generator" in name]
    assert names <= build_phase3(scale).state_dict().keys()
    torch.manual_seed(9)
    again = build_model("phase4", scale, VOCABULARY, model.tower_configs()).eval()
    load_model(again, tmp_path / "model.safetensors")
    with torch.inference_mode():
        assert torch.equal(again.encode_image(batch["images"]), model.encode_image(batch["images"]))
        assert torch.equal(again.encode_text(batch), model.encode_text(batch))


@pytest.mark.parametrize("branch", BRANCHES)
def test_every_weight_of_the_branch_learns(branch):
    generation = tiny_generation(reveal=0.5, **branch)
    model = build_phase4(tiny_scale(), generation)
    model(full_batch(generation))["gen_loss"].backward()
    for name, parameter in model.generator.named_parameters():
        assert parameter.grad is not None, name
        assert torch.isfinite(parameter.grad).all(), name
        assert parameter.grad.any(), name


@pytest.mark.parametrize("branch", BRANCHES)
def test_the_loss_is_the_mean_over_what_was_to_be_predicted(branch):
    generation = tiny_generation(reveal=0.5, **branch)
    model, batch = build_phase4(tiny_scale(), generation).eval(), full_batch(generation)
    found = model.generator(model.retrieval, batch)
    targets = batch["vq_target_ids"].tolist()
    asked = [
        (sample, position)
        for sample, row in enumerate(targets)
        for position, target in enumerate(row)
        if target != IGNORED
    ]
    assert list(zip(found.sample_P.tolist(), found.position_P.tolist(), strict=True)) == asked
    assert found.target_ids_P.tolist() == [targets[sample][place] for sample, place in asked]
    total, smoothing = 0.0, generation.label_smoothing
    for logits, (sample, position) in zip(found.logits_PV, asked, strict=True):
        log_p = torch.log(torch.exp(logits) / torch.exp(logits).sum())
        label = torch.full_like(logits, smoothing / len(logits))
        label[targets[sample][position]] += 1 - smoothing
        total -= (label * log_p).sum()
    losses = model(batch)
    torch.testing.assert_close(losses["gen_loss"], total / len(asked))
    assert losses.keys() == {"sdm_loss", "itc_loss", "gen_loss"}


def test_it_is_phase_3_to_everything_but_training():
    scale = tiny_scale()
    model, batch = build_phase4(scale, tiny_generation()).eval(), retrieval_batch()
    inner = model.retrieval
    assert torch.equal(model.encode_image(batch["images"]), inner.encode_image(batch["images"]))
    assert torch.equal(model.encode_text(batch), inner.encode_text(batch))
    assert model.normalisation == inner.normalisation
    assert model.tower_configs() == inner.tower_configs()
    assert model.pretrained_modules() == inner.pretrained_modules() == []
