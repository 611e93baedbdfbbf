"""The losses one by one, who counts in them, and at what rate every weight learns."""

import math
from pathlib import Path

import pytest
import torch
from tiny_clip_mer import (
    IDENTITIES,
    build_clip_mer,
    clip_mer_batch,
    clip_mer_scale,
    query_parts,
)
from tiny_models import VOCABULARY, build_model
from torch.nn import functional as F

from ubg.losses import itc_loss, sdm_loss
from ubg.params import Scale, load_params
from ubg.params.read import read_section
from ubg.systems.clip_mer.parts import CHANNELS, COMBINATIONS, PARTS, SINGLE_PARTS
from ubg.training.loop import weighted_sum
from ubg.training.optimiser import build_optimiser, parameter_groups
from ubg.training.task import loss_weights

ROOT = Path(__file__).parents[3]
ALL_LOSSES = {"sdm": 1.0, "itc": 1.0, "id": 1.0, "norm": 1.0}
EVERY = [*SINGLE_PARTS, *COMBINATIONS]


def expected_losses(model, batch, band):
    """Each loss from the embeddings of the combinations, one after the other."""
    tokens = {name: model.part_tokens(name, part) for name, part in query_parts(batch).items()}
    rgb = model.vision(batch["images"], "rgb")
    present = {name: batch[f"{name}_present"] for name in CHANNELS}
    present["text"] = torch.ones(len(rgb), dtype=torch.bool)
    sums = {"sdm_loss": 0.0, "itc_loss": 0.0}
    for names in EVERY:
        rows = torch.stack([present[name] for name in names]).all(0)
        query = model.fuse({name: tokens[name] for name in names})[rows]
        sums["sdm_loss"] += sdm_loss(rgb[rows], query, batch["pids"][rows], 20.0) / 15
        sums["itc_loss"] += itc_loss(rgb[rows], query, 20.0) / 15
    embedded = [rgb, *(tokens[name][:, 0][present[name]] for name in PARTS)]
    pids = [batch["pids"], *(batch["pids"][present[name]] for name in PARTS)]
    features, labels = torch.cat(embedded), torch.cat(pids)
    neck, classifier = model.objective.neck, model.objective.classifier
    sums["id_loss"] = F.cross_entropy(classifier(neck(features)), labels)
    lengths = features.norm(dim=1)
    outside = torch.where(lengths < band[0], band[0] - lengths, (lengths - band[1]).clamp(min=0))
    sums["norm_loss"] = outside.square().mean()
    return sums


@pytest.mark.parametrize("attention", ["eager", "sdpa"])
@pytest.mark.parametrize("whole", [True, False])
def test_losses_are_those_of_the_combinations_one_by_one(attention, whole):
    band = (0.9, 1.1)
    scale = clip_mer_scale(losses=ALL_LOSSES, norm_band=band, attention=attention)
    model, batch = build_clip_mer(scale).eval(), clip_mer_batch()
    if not whole:
        batch["sk_present"][:2] = False  # both images of the first person
        batch["nir_present"][5] = False
    losses = model(batch)
    assert losses["norm_loss"] > 0
    assert losses.keys() == loss_weights(scale.clip_mer.losses).keys()
    torch.testing.assert_close(losses, expected_losses(model, batch, band), atol=1e-4, rtol=1e-4)


def test_what_stands_in_for_a_missing_part_is_of_no_effect():
    scale = clip_mer_scale(losses=ALL_LOSSES)
    model, batch = build_clip_mer(scale).eval(), clip_mer_batch()
    batch["sk_present"][3] = False
    before = model(batch)
    batch["sk_images"][3] = 7.0
    assert model(batch) == before
    batch["sk_present"][3] = True
    assert model(batch)["sdm_loss"] != before["sdm_loss"]


def test_nobody_with_a_part_leaves_finite_losses_and_gradients():
    model, batch = build_clip_mer(clip_mer_scale(losses=ALL_LOSSES)).train(), clip_mer_batch()
    for name in CHANNELS:
        batch[f"{name}_present"][:] = False
    sum(model(batch).values()).backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name


def test_one_image_for_each_person_attracts():
    """The cosine to the own image rises against those to the others."""
    scale = clip_mer_scale(losses=ALL_LOSSES | {"id": None})
    model, batch = build_clip_mer(scale).train(), clip_mer_batch()
    batch["pids"] = torch.arange(6)
    optimiser = torch.optim.SGD(model.parameters(), lr=0.003)
    parts, own = query_parts(batch), torch.eye(6, dtype=torch.bool)

    def margins():
        with torch.no_grad():
            rgb_BD = model.encode_image(batch["images"])
            for names in EVERY:
                cosine_BB = model.encode_query({name: parts[name] for name in names}) @ rgb_BD.T
                yield (cosine_BB[own].mean() - cosine_BB[~own].mean()).item()

    before = list(margins())
    for _ in range(5):
        model(batch)["sdm_loss"].backward()
        optimiser.step()
        optimiser.zero_grad()
    for names, old, new in zip(EVERY, before, margins(), strict=True):
        assert new > old, names


def test_classifier_begins_almost_at_zero_and_has_no_bias():
    model = build_clip_mer(clip_mer_scale())
    classifier = model.objective.classifier
    assert classifier.bias is None
    assert classifier.weight.shape == (IDENTITIES, 16)
    assert 0.0007 < classifier.weight.std().item() < 0.0013
    assert list(model.objective.neck.parameters()) == []
    loss = model.train()(clip_mer_batch())["id_loss"].item()
    assert loss == pytest.approx(math.log(IDENTITIES), abs=0.02)


def test_combinations_of_a_step_are_drawn_beside_the_single_parts():
    objective = build_clip_mer(clip_mer_scale(combinations_per_step=3)).objective
    torch.manual_seed(0)
    seen = set()
    for _ in range(60):
        chosen_KP = objective._combinations(torch.device("cpu")).tolist()
        names = [tuple(p for p, used in zip(PARTS, row, strict=True) if used) for row in chosen_KP]
        assert names[:4] == list(SINGLE_PARTS)
        assert len(set(names)) == 7
        seen |= set(names)
    assert seen == set(EVERY)


@pytest.mark.parametrize("conv_stem", [False, True])
@pytest.mark.parametrize("own", ["conv", "all"])
@pytest.mark.parametrize("text", [False, True])
def test_every_weight_is_in_one_group_and_learns(own, conv_stem, text):
    scale = clip_mer_scale(own=own, conv_stem=conv_stem, adapters={"text": text})
    model, batch = build_clip_mer(scale).train(), clip_mer_batch()
    params = load_params().preset.optimiser
    groups = parameter_groups(model, params)
    grouped = [id(parameter) for group in groups for parameter in group["params"]]
    assert len(grouped) == len(set(grouped))
    assert set(grouped) == {id(parameter) for parameter in model.parameters()}
    optimiser = build_optimiser(model, params)
    for _ in range(2):  # the first step moves B from zero, so that A has a gradient
        optimiser.zero_grad()
        weighted_sum(model(batch), loss_weights(scale.clip_mer.losses)).backward()
        assert all(parameter.grad is not None for parameter in model.parameters())
        optimiser.step()
    for name, parameter in model.named_parameters():
        assert parameter.grad.any(), name


def rates(model, params):
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    return {
        names[id(parameter)]: group["lr"]
        for group in parameter_groups(model, params)
        for parameter in group["params"]
    }


def is_of_the_trunk(name):
    new = ("patch_embedding", "projection", "adapters", "parametrizations.weight.0")
    of_towers = name.startswith(("vision.clip.", "text."))
    return of_towers and not any(part in name for part in new)


@pytest.mark.parametrize("own", ["conv", "all"])
def test_base_trains_the_trunk_slower_than_what_is_new(own):
    base = read_section(Scale, ROOT / "configs/scales/base.yaml", ROOT)
    factors = base.clip_mer.optimiser.model_dump()
    model = build_clip_mer(clip_mer_scale(own=own, adapters={"text": True}, optimiser=factors))
    found = rates(model, base.optimiser)
    assert found.keys() == dict(model.named_parameters()).keys()
    for name, rate in found.items():
        assert rate == pytest.approx(1e-5 if is_of_the_trunk(name) else 5e-5), name
    slow = [name for name, rate in found.items() if rate < 2e-5]
    # Sixteen in each of two layers, two norms, the class token, the positions.
    assert sum(name.startswith("vision") for name in slow) == 2 * 16 + 2 * 2 + 2


def test_parts_of_the_model_learn_at_factors_of_their_own():
    params = load_params().preset.optimiser
    found = rates(build_clip_mer(clip_mer_scale()), params)
    for name, factor in {
        "vision.clip.transformer.encoder.layers.0.mlp.fc1.weight": 1,
        "text.transformer.encoder.layers.0.mlp.fc1.bias": 1,
        "vision.clip.transformer.encoder.layers.0.adapters.fc1.nir.A": 2,
        "vision.clip.transformer.embeddings.patch_embedding.weight": 3,
        "vision.own.nir.patch_embedding.weight": 3,
        "vision.clip.projection.weight": 4,
        "text.projection.weight": 4,
        "fusion.part_embedding": 5,
        "objective.classifier.weight": 5,
    }.items():
        assert found[name] == pytest.approx(params.lr * factor), name


def test_frozen_trunk_learns_by_what_is_added_to_it():
    model = build_clip_mer(clip_mer_scale(freeze_trunk=True, own="all", adapters={"text": True}))
    model.train()(clip_mer_batch())["sdm_loss"].backward()
    for name, parameter in model.named_parameters():
        assert parameter.requires_grad != is_of_the_trunk(name), name
        assert parameter.requires_grad or parameter.grad is None, name
    assert rates(model, load_params().preset.optimiser).keys() == {
        name for name, parameter in model.named_parameters() if parameter.requires_grad
    }


def test_tokenizer_that_is_too_large_for_the_tower_is_refused():
    with pytest.raises(ValueError, match="50 token embeddings for a tokenizer of 51"):
        build_model("clip_mer", clip_mer_scale(), VOCABULARY + 1)
