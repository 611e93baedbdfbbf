"""IRRA: its losses in any combination, one text pass or two, and what is saved of it."""

import math
from itertools import combinations
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_model
from tiny_irra import ALL_LOSSES, IDENTITIES, build_irra, irra_batch, irra_scale
from tiny_models import VOCABULARY, build_model

from ubg.losses import cmpm_loss, id_loss, itc_loss, mlm_loss, sdm_loss
from ubg.params import Scale, load_params
from ubg.params.read import read_section
from ubg.plan.random_run import random_system
from ubg.runtime.checkpoint import save_weights
from ubg.systems.irra.model import last_token
from ubg.systems.irra.word_masking import IGNORED
from ubg.training.loop import weighted_sum
from ubg.training.optimiser import parameter_groups
from ubg.training.task import loss_weights

ROOT = Path(__file__).parents[3]
COMBINATIONS = [names for count in range(1, 6) for names in combinations(sorted(ALL_LOSSES), count)]


def expected_losses(model, batch, contrast_on="clean", soft_labels=None):
    """Each loss by itself, from separate passes and scores at every position."""
    mask_BT, pids = batch["caption_attn_mask"], batch["pids"]
    tokens_BND = model.vision.projected_tokens(batch["images"])
    masked_BTD = model.text(batch["mlm_ids"], mask_BT)
    clean_BTD = model.text(batch["caption_ids"], mask_BT)
    image = tokens_BND[:, 0]
    text_BTD = masked_BTD if contrast_on == "masked" else clean_BTD
    ends = mask_BT.sum(1).tolist()
    text = torch.stack([row[end - 1] for row, end in zip(text_BTD, ends, strict=True)])
    classifier, everywhere = model.objective.classifier, torch.ones_like(mask_BT)
    logits_PV, _ = model.objective.mlm(masked_BTD, mask_BT, tokens_BND, everywhere)
    labels = batch["mlm_labels"].flatten()
    image_ids = None if soft_labels is None else batch["image_ids"]
    return {
        "sdm_loss": sdm_loss(image, text, pids, 20.0, image_ids, soft_labels or 1.0),
        "itc_loss": itc_loss(image, text, 20.0),
        "cmpm_loss": cmpm_loss(image, text, pids),
        "id_loss": id_loss(classifier(image), classifier(text), pids),
        "mlm_loss": mlm_loss(logits_PV[labels != IGNORED], labels[labels != IGNORED]),
    }


@pytest.mark.parametrize("contrast_on", ["clean", "masked"])
@pytest.mark.parametrize("soft_labels", [None, 0.3])
@pytest.mark.parametrize("attention", ["eager", "sdpa"])
def test_losses_are_those_of_separate_passes(contrast_on, soft_labels, attention):
    scale = irra_scale(contrast_on=contrast_on, soft_labels=soft_labels, attention=attention)
    model, batch = build_irra(scale).eval(), irra_batch()
    losses = model(batch)
    assert losses.keys() == loss_weights(scale.irra.losses).keys()
    torch.testing.assert_close(
        losses, expected_losses(model, batch, contrast_on, soft_labels), atol=1e-5, rtol=1e-4
    )


def test_soft_labels_and_masked_captions_matter():
    batch = irra_batch()
    assert batch["pids"][0] == batch["pids"][1]
    found = [
        build_irra(irra_scale(**settings)).eval()(batch)["sdm_loss"].item()
        for settings in ({}, {"soft_labels": 0.3}, {"contrast_on": "masked"})
    ]
    assert len(set(found)) == 3


def test_one_pass_equals_two_when_nothing_is_hidden():
    batch = irra_batch(hidden=False)
    one = build_irra(irra_scale(contrast_on="masked")).eval()
    two = build_irra(irra_scale(contrast_on="clean")).eval()
    torch.testing.assert_close(one(batch), two(batch), atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("names", COMBINATIONS, ids="-".join)
def test_any_combination_of_losses_trains_both_towers(names):
    scale = irra_scale({name: ALL_LOSSES[name] for name in names}, conv_stem=True)
    model, batch = build_irra(scale).train(), irra_batch()
    if "mlm" not in names:
        del batch["mlm_ids"], batch["mlm_labels"]
    losses = model(batch)
    assert losses.keys() == {f"{name}_loss" for name in names}
    weighted_sum(losses, loss_weights(scale.irra.losses)).backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert torch.isfinite(parameter.grad).all(), name
    for tower in (model.vision, model.text):
        assert all(parameter.grad.any() for parameter in tower.parameters())
    assert (model.objective.classifier is not None) == ("id" in names)
    assert (model.objective.mlm is not None) == ("mlm" in names)
    assert model.text.transformer.config.vocab_size == VOCABULARY + ("mlm" in names)


def test_padding_changes_no_loss_and_no_embedding():
    model, batch = build_irra(irra_scale()).eval(), irra_batch()
    wider = dict(batch)
    for name, value in (
        ("caption_ids", 7),
        ("mlm_ids", 7),
        ("caption_attn_mask", 0),
        ("mlm_labels", IGNORED),
    ):
        wider[name] = torch.nn.functional.pad(batch[name], (0, 5), value=value)
    torch.testing.assert_close(model(wider), model(batch), atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(model.encode_text(wider), model.encode_text(batch))


def test_pooled_text_token_is_the_last_by_the_mask():
    tokens_BTD = torch.arange(12.0).reshape(2, 3, 2)
    mask_BT = torch.tensor([[1, 1, 0], [1, 1, 1]])
    assert last_token(tokens_BTD, mask_BT).tolist() == [[2, 3], [10, 11]]


def test_embeddings_are_unit_vectors_of_the_pooled_tokens():
    model, batch = build_irra(irra_scale()).eval(), irra_batch()
    with torch.inference_mode():
        image, text = model.encode_image(batch["images"]), model.encode_text(batch)
        tokens = model.vision.projected_tokens(batch["images"])
        words = model.text(batch["caption_ids"], batch["caption_attn_mask"])
    pooled = last_token(words, batch["caption_attn_mask"])
    assert image.shape == text.shape == (6, 16)
    for features in (image, text):
        torch.testing.assert_close(features.norm(dim=1), torch.ones(6))
    torch.testing.assert_close(image, tokens[:, 0] / tokens[:, 0].norm(dim=1, keepdim=True))
    torch.testing.assert_close(text, pooled / pooled.norm(dim=1, keepdim=True))


@pytest.mark.parametrize("conv_stem", [False, True])
def test_saved_model_has_no_heads_and_the_embeddings_of_the_trained_one(tmp_path, conv_stem):
    scale = irra_scale(conv_stem=conv_stem, learn_temperature=True)
    model, batch = build_irra(scale).train(), irra_batch()
    optimiser = torch.optim.SGD(model.parameters(), lr=0.1)
    weighted_sum(model(batch), loss_weights(scale.irra.losses)).backward()
    optimiser.step()
    model.eval()
    parts = model.saved_parts()
    assert parts.keys() == {"model"}
    save_weights(tmp_path / "model.safetensors", parts["model"])
    with safe_open(tmp_path / "model.safetensors", "pt") as file:
        names = set(file.keys())
    assert {name.partition(".")[0] for name in names} == {"vision", "text"}
    torch.manual_seed(9)
    again = build_model("irra", scale, VOCABULARY, model.tower_configs()).eval()
    load_model(again, tmp_path / "model.safetensors")
    with torch.inference_mode():
        assert torch.equal(again.encode_image(batch["images"]), model.encode_image(batch["images"]))
        assert torch.equal(again.encode_text(batch), model.encode_text(batch))


def test_heads_change_no_weight_of_the_towers():
    without = build_irra(irra_scale({"sdm": 1.0}), seed=3)
    model = build_irra(irra_scale({"sdm": 1.0, "id": 1.0}), seed=3)
    for name, weight in without.state_dict().items():
        assert torch.equal(model.state_dict()[name], weight), name


def test_identity_classifier_begins_almost_at_zero():
    model = build_irra(irra_scale())
    classifier = model.objective.classifier
    assert classifier.weight.shape == (IDENTITIES, 16)
    assert 0.0007 < classifier.weight.std().item() < 0.0013
    assert not classifier.bias.any()
    loss = model.eval()(irra_batch())["id_loss"].item()
    assert loss == pytest.approx(math.log(IDENTITIES), abs=0.02)


def test_learned_temperature_begins_at_the_fixed_one_learns_and_is_bounded():
    batch = irra_batch()
    fixed = build_irra(irra_scale()).eval()
    learned = build_irra(irra_scale(learn_temperature=True)).eval()
    objective = learned.objective
    torch.testing.assert_close(learned(batch), fixed(batch))
    learned(batch)["itc_loss"].backward()
    assert objective.log_scale.grad.item() != 0
    objective.log_scale.data.fill_(math.log(1000))
    assert objective.logit_scale().item() == pytest.approx(100)
    assert [name for name, _ in fixed.named_parameters() if "scale" in name] == []


def test_tokenizer_that_is_too_large_for_the_tower_is_refused():
    with pytest.raises(ValueError, match="50 token embeddings for a tokenizer of 51"):
        build_model("irra", irra_scale(), VOCABULARY + 1, identities=3)


@pytest.mark.parametrize(
    ("settings", "fault"),
    [
        ({"losses": {}}, "give at least one of sdm, itc, cmpm, id, mlm a weight"),
        ({"losses": {"sdm": 0.0}}, "greater than 0"),
        ({"losses": {"sdm": 1.0}, "contrast_on": "masked"}, "masked needs losses.mlm"),
        ({"losses": {"itc": 1.0}, "soft_labels": 0.3}, "soft_labels needs losses.sdm"),
        ({"losses": {"id": 1.0}, "learn_temperature": True}, "needs losses.sdm or losses.itc"),
    ],
)
def test_settings_that_do_not_belong_together_are_refused(settings, fault):
    with pytest.raises(ValueError, match=fault):
        irra_scale(**settings)


def test_mlm_scores_as_many_tokens_as_there_are_to_guess():
    scale = irra_scale({"mlm": 1.0})
    model = build_model("irra", scale, VOCABULARY, identities=IDENTITIES, guessed=7)
    assert model.objective.mlm.head.out_features == 7
    batch = irra_batch()
    batch["mlm_labels"] = torch.where(batch["mlm_labels"] == -100, -100, 6)
    assert model(batch)["mlm_loss"].isfinite()


OWN = {
    "eps": 1e-3,
    "clip_norm": None,
    "interaction": {"weight": 5.0, "bias": 2.0},
    "norms": {"weight": 1.0, "bias": 2.0},
    "heads": {"weight": 5.0, "bias": 5.0},
}


def rates(model, params):
    """Learning rate and decay of each parameter by name."""
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    return {
        names[id(parameter)]: (group["lr"], group["weight_decay"])
        for group in parameter_groups(model, params)
        for parameter in group["params"]
    }


def published_factor(name):
    """What the code of IRRA's authors multiplies its rate by, under the names that it has here."""
    is_bias = name.endswith("bias")
    if name.startswith("objective.classifier"):
        return 5
    part = name.removeprefix("objective.mlm.").split(".")[0]
    if part in ("dense", "head_norm", "head"):
        return 5
    if part in ("cross_attention", "transformer") and not is_bias:
        return 5
    return 2 if is_bias else 1


def test_base_trains_every_parameter_at_the_rate_of_the_published_code():
    base = read_section(Scale, ROOT / "configs/scales/base.yaml", ROOT)
    own = base.irra.optimiser.model_dump()
    model = build_irra(irra_scale({"sdm": 1.0, "id": 1.0, "mlm": 1.0}, optimiser=own))
    model.vision.pretrained = model.text.pretrained = True
    found = rates(model, base.optimiser)
    assert found.keys() == dict(model.named_parameters()).keys()
    for name, (rate, decay) in found.items():
        assert rate == pytest.approx(1e-5 * published_factor(name)), name
        assert decay == (0 if name.endswith("bias") else 4e-5), name
    assert base.irra.optimiser.eps == 1e-3
    assert base.irra.optimiser.clip_norm is None
    assert base.irra.head_activation == "quick_gelu"


def test_tiny_trains_all_that_is_new_at_the_rates_of_the_other_systems():
    tiny = load_params().preset
    model = build_irra(irra_scale(optimiser=tiny.irra.optimiser.model_dump()))
    for name, (rate, _) in rates(model, tiny.optimiser).items():
        assert rate == tiny.optimiser.lr * 5 * (2 if name.endswith("bias") else 1), name
    own = tiny.irra.optimiser
    assert (own.eps, own.clip_norm) == (tiny.optimiser.eps, tiny.optimiser.clip_norm)


def test_the_plan_and_the_training_take_the_optimiser_of_the_task():
    params = load_params()
    preset = params.preset.model_copy(update={"irra": irra_scale(optimiser=OWN).irra})
    task = random_system("irra", params.model_copy(update={"preset": preset}), 3).task
    assert (task.optimiser.eps, task.optimiser.clip_norm) == (1e-3, None)
    assert task.optimiser.lr == params.preset.optimiser.lr
