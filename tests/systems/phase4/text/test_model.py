"""Phase 4 that reads captions: retrieval stays the same without it, and its losses by hand."""

import pytest
import torch
from tiny_models import (
    build_phase,
    build_phase3,
    build_text,
    retrieval_batch,
    text_batch,
    text_generation,
    tiny_scale,
)

from ubg.losses import generation_itc_loss
from ubg.systems.phase4.model import gradient_ratio
from ubg.systems.phase4.text.likelihood import evidence_of_images
from ubg.training.loop import weighted_sum
from ubg.training.task import loss_weights

SCALES = [
    {"positions": "1d"},
    {"positions": "2d", "dropout": 0.1, "conv_stem": True, "neck": "batch_norm"},
    {"positions": "1d", "pooling": "cls", "cls_token": True},
]
BRANCHES = [
    {},
    {"decoder": "linear"},
    {"contrast": None, "clusters": None},
    {"shuffle_captions": True},
    {"contrast_positives": "identity"},
    {"beside": "phase1"},
    {"beside": "phase2", "decoder": "linear"},
]
OFF, ON = {"gen_loss": 0.0, "gen_itc_loss": 0.0}, {"gen_loss": 1.0, "gen_itc_loss": 0.1}


def step(model, batch, weights):
    """Gradients of one training step, by name."""
    torch.manual_seed(5)
    losses = model.train()(batch)
    weighted_sum(losses, {name: weights[name] for name in losses}).backward()
    return {name: parameter.grad for name, parameter in model.named_parameters()}


def trained(scale, generation):
    """A model whose branch says something."""
    model = build_text(scale, generation)
    reader = model.generator.reader
    head = reader.map if generation.decoder == "linear" else reader.decoder.head
    torch.nn.init.normal_(head.weight)
    return model


@pytest.mark.parametrize("sizes", SCALES)
@pytest.mark.parametrize("branch", BRANCHES)
def test_without_weight_gradients_and_statistics_are_exactly_those_of_retrieval(sizes, branch):
    scale, generation = tiny_scale(**sizes), text_generation(**branch)
    weights = loss_weights(scale.losses)
    alone, phase4 = build_phase(generation.beside, scale), trained(scale, generation)
    expected = step(alone, retrieval_batch(), weights)
    found = step(phase4, text_batch(generation), weights | OFF)
    for name, gradient in expected.items():
        assert torch.equal(found[f"retrieval.{name}"], gradient), name
    buffers = dict(phase4.retrieval.named_buffers())
    for name, buffer in alone.named_buffers():
        assert torch.equal(buffers[name], buffer), name


@pytest.mark.parametrize("branch", BRANCHES)
def test_it_teaches_the_words_and_every_weight_of_its_own_learns(branch):
    scale, generation = tiny_scale(), text_generation(**branch)
    weights = loss_weights(scale.losses)
    without = step(build_phase(generation.beside, scale), retrieval_batch(), weights)
    found = step(trained(scale, generation), text_batch(generation), weights | ON)
    shared = generation.beside == "phase3"
    for part in ("encoder.text.", "encoder.modality") if shared else ("text.",):
        names = [name for name in without if name.startswith(part)]
        assert any(not torch.equal(found[f"retrieval.{name}"], without[name]) for name in names)
    for name in without:
        if name.startswith(("vision.", "image_projection", "text_projection")):
            assert torch.equal(found[f"retrieval.{name}"], without[name])
    own = {name: gradient for name, gradient in found.items() if name.startswith("generator.")}
    assert own
    assert all(gradient is not None and gradient.any() for gradient in own.values())


@pytest.mark.parametrize("positives", ["image", "identity"])
def test_its_losses_by_a_loop(positives):
    generation = text_generation(contrast_positives=positives)
    model, batch = trained(tiny_scale(), generation).eval(), text_batch(generation)
    logits = model.generator.logits_of(model.retrieval, batch)
    log_p = torch.log(torch.exp(logits) / torch.exp(logits).sum(2, keepdim=True))
    classes, smoothing = batch["code_classes"], generation.label_smoothing
    total = 0.0
    for sample, row in enumerate(classes.tolist()):
        for place, target in enumerate(row):
            label = torch.full((logits.shape[2],), smoothing / logits.shape[2])
            label[target] += 1 - smoothing
            total -= (label * log_p[sample, place]).sum()
    evidence = evidence_of_images(log_p - model.generator.log_frequency_LK, classes)
    losses = model(batch)
    torch.testing.assert_close(losses["gen_loss"], total / classes.numel())
    pids = batch["pids"] if positives == "identity" else None
    expected = generation_itc_loss(evidence, generation.contrast_scale, pids)
    torch.testing.assert_close(losses["gen_itc_loss"], expected)


def test_shuffled_captions_are_those_of_other_samples():
    shuffled = trained(tiny_scale(), text_generation(shuffle_captions=True)).eval()
    true = trained(tiny_scale(), text_generation()).eval()
    batch = text_batch(text_generation())
    found, expected = shuffled(batch), true(batch)
    assert torch.equal(found["sdm_loss"], expected["sdm_loss"])
    assert not torch.equal(found["gen_loss"], expected["gen_loss"])
    moved = batch | {"code_classes": batch["code_classes"].roll(-3, dims=0)}
    torch.testing.assert_close(found["gen_loss"], true(moved)["gen_loss"])


def test_gradient_ratio_is_that_of_the_lengths():
    scale, generation = tiny_scale(), text_generation()
    model, batch = trained(scale, generation).eval(), text_batch(generation)
    weights = loss_weights(scale.losses) | {"gen_loss": 2.0, "gen_itc_loss": 0.5}

    def length(names):
        model.zero_grad()
        losses = model(batch)
        sum(weights[name] * losses[name] for name in names).backward()
        grads = [p.grad for p in model.retrieval.parameters() if p.grad is not None]
        return torch.cat([grad.flatten() for grad in grads]).norm().item()

    expected = length(["gen_loss", "gen_itc_loss"]) / length(["sdm_loss", "itc_loss"])
    assert gradient_ratio(model, batch, weights) == pytest.approx(expected, rel=1e-5)


def test_what_retrieval_saves_knows_nothing_of_the_branch():
    scale = tiny_scale(conv_stem=True)
    model = build_text(scale, text_generation(), seed=4)
    expected = build_phase3(scale, seed=4).state_dict()
    saved = model.saved_parts()["model"].state_dict()
    assert saved.keys() == expected.keys()
    assert all(torch.equal(saved[name], expected[name]) for name in expected)
