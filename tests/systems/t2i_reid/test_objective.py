"""What the losses of t2i_reid ask of whom: signs of gradients, rows that count, who learns."""

import math

import pytest
import sections
import torch
from pydantic import ValidationError
from tiny_t2i_reid import EVERY_LOSS, build_t2i_reid, t2i_reid_batch, t2i_reid_scale
from torch.nn.functional import cross_entropy

from ubg.losses.clothing_match import clothing_match_loss
from ubg.losses.decouple import decouple_loss, hsic_loss
from ubg.losses.info_nce import info_nce_loss
from ubg.losses.words import words_loss
from ubg.systems.t2i_reid.embedded import Embedded
from ubg.systems.t2i_reid.gradient_reversal import reversal_strength, reverse_gradient
from ubg.systems.t2i_reid.objective import Sizes, T2iReidObjective
from ubg.training.loop import weighted_sum
from ubg.training.optimiser import build_optimiser
from ubg.training.task import loss_weights

ADVERSARY = {"cloth_adv": 1.0}


def gradients(model, batch, name):
    model.zero_grad()
    model(batch)[name].backward()
    return {
        path: parameter.grad
        for path, parameter in model.named_parameters()
        if parameter.grad is not None
    }


def test_a_reversed_gradient_by_hand():
    features = torch.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    reversed_ = reverse_gradient(features, torch.tensor([0.5, 2.0]))
    assert torch.equal(reversed_, features)
    (reversed_ * torch.tensor([[1.0, 10.0], [1.0, 10.0]])).sum().backward()
    assert features.grad.tolist() == [[-0.5, -5.0], [-2.0, -20.0]]


def test_the_strength_of_the_reversal_by_hand():
    assert [reversal_strength(epoch) for epoch in (0, 1, 10)] == pytest.approx([0.1, 0.12, 0.3])
    assert reversal_strength(45) == reversal_strength(60) == 1.0


def plain(model, batch, alpha):
    """The gradients of the adversaries' loss with nothing reversed, as if alpha were -1."""
    return gradients(model, batch | {"grl_alpha": torch.full((6,), alpha)}, "cloth_adv_loss")


@pytest.mark.parametrize(
    ("grl_on", "heads", "reached"),
    [
        ("id", {"clothing_adversary"}, {"identity"}),
        ("cloth", {"identity_adversary"}, {"clothing"}),
        ("both", {"clothing_adversary", "identity_adversary"}, {"identity", "clothing"}),
    ],
)
def test_adversaries_learn_and_what_they_read_unlearns(grl_on, heads, reached):
    model = build_t2i_reid(t2i_reid_scale(ADVERSARY, grl_on=grl_on))
    batch = t2i_reid_batch(alpha=0.5)
    honest = plain(model, batch, -1.0)
    found = gradients(model, batch, "cloth_adv_loss")
    assert {path.split(".")[1] for path in found if path.startswith("objective")} == heads
    assert {path.split(".")[1] for path in found if path.startswith("branches")} == reached
    for path, gradient in found.items():
        factor = 1.0 if path.startswith("objective") else -0.5
        torch.testing.assert_close(gradient, factor * honest[path], rtol=1e-4, atol=1e-7)


def test_the_clothing_head_reads_what_its_branch_shows_with_the_normal_sign():
    batch = t2i_reid_batch(alpha=0.5)
    normal = build_t2i_reid(t2i_reid_scale({}))
    seed = build_t2i_reid(t2i_reid_scale({}, grl_on="seed"))
    expected = gradients(normal, batch, "cloth_match_loss")
    found = gradients(seed, batch, "cloth_match_loss")
    assert found.keys() == expected.keys()
    for path, gradient in found.items():
        before_the_head = path.startswith(("vision", "branches.clothing.image_projection"))
        factor = -0.5 if before_the_head else 1.0
        torch.testing.assert_close(gradient, factor * expected[path], rtol=1e-4, atol=1e-7)


def test_whole_captions_learn_to_be_read_and_teach_images_nothing():
    batch = t2i_reid_batch()
    for teaches in (False, True):
        model = build_t2i_reid(t2i_reid_scale({"cloth": 1.0}, captions_teach_images=teaches))
        found = gradients(model, batch, "cloth_loss")
        assert any(path.startswith("vision") for path in found) == teaches
        assert ("branches.clothing.image_head.weight" in found) == teaches
        assert found["branches.clothing.text_head.weight"].any()


def test_losses_are_those_of_the_embeddings():
    model = build_t2i_reid(t2i_reid_scale())
    batch = t2i_reid_batch()
    batch["is_matched"][4] = batch["identity_there"][2] = batch["clothing_there"][5] = False
    batch["identity_texts"][2], batch["clothing_texts"][5] = -3, -6
    batch["other_there"][3] = False
    losses, seen, head = model(batch), model._embed(batch), model.objective
    there = [0, 1, 3, 4, 5]
    same_words = torch.zeros(6, 6, dtype=torch.bool)
    same_words[torch.arange(6), torch.arange(6)] = True
    for i, j in [(0, 1), (0, 3), (1, 3)]:
        same_words[i, j] = same_words[j, i] = True
    matches = same_words.clone()
    matches[3, 5] = matches[5, 3] = True  # one person
    image, text = seen.image_identity_BD, seen.identity_BD
    pure = info_nce_loss(image[there], text[there], matches[there][:, there], 10.0)
    whole = info_nce_loss(image, seen.whole_identity_BD, matches, 10.0)
    clothed = [0, 1, 2, 3, 4]
    same_outfit = torch.eye(6, dtype=torch.bool)
    same_outfit[1, 2] = same_outfit[2, 1] = True
    asked = [0, 1, 2, 4]
    sought = torch.eye(6, dtype=torch.bool)
    sought[4, 4] = False  # drawn
    query = torch.cat(head.gate(seen.other_identity_BD, seen.clothing_BD), dim=1)
    expected = {
        "info_nce_loss": (pure + whole) / 2,
        "cls_loss": cross_entropy(head.classifier(seen.projected_BW), batch["persons"]),
        "cloth_loss": info_nce_loss(
            seen.image_clothing_BD, seen.whole_clothing_BD, same_outfit, 10.0
        ),
        "cloth_match_loss": clothing_match_loss(
            seen.image_clothing_BD[clothed],
            seen.clothing_BD[clothed],
            batch["outfits"][clothed],
            batch["clothing_texts"][clothed],
            batch["is_matched"][clothed],
            10.0,
        ),
        "decouple_loss": decouple_loss(image, seen.image_clothing_BD),
        "hsic_loss": hsic_loss(image, seen.image_clothing_BD),
        "cloth_adv_loss": (
            words_loss(head.clothing_adversary(image[clothed]), batch["clothing_words"][clothed])
            + words_loss(
                head.identity_adversary(seen.image_clothing_BD[there]),
                batch["identity_words"][there],
            )
        )
        / 2,
        "bio_loss": info_nce_loss(
            head.bio(image[there]), text[there], same_words[there][:, there], 10.0
        ),
        "composed_loss": info_nce_loss(
            torch.cat([image, seen.image_clothing_BD], dim=1),
            query[asked],
            sought[:, asked],
            10.0,
        ),
    }
    assert losses.keys() == expected.keys()
    for name, value in expected.items():
        torch.testing.assert_close(losses[name], value, msg=name)


def composed_loss(**labels):
    """Of two persons in an outfit each, whose pictures and captions are at right angles.

    The first query is the picture that it seeks; the second has its own person and the clothes of
    the first picture, so that both pictures are at a cosine of 1/2.
    """
    params = sections.t2i_reid({"composed": 1.0}, embedding_dim=2, temperature=1.0)
    objective = T2iReidObjective(params, 2, 2, Sizes(2, 1, 1))
    one, two = torch.eye(2)
    batch = {
        "persons": torch.arange(2),
        "outfits": torch.arange(2),
        **dict.fromkeys(("is_matched", "clothing_there", "other_there"), torch.tensor([True] * 2)),
        **{name: torch.tensor(values) for name, values in labels.items()},
    }
    both = torch.stack([one, two])
    embedded = Embedded(*[both] * 6, clothing_BD=torch.stack([one, one]), other_identity_BD=both)
    return objective._composed(batch, embedded, objective.gate).item()


def test_the_loss_of_composed_queries_by_hand():
    # By row, images: [1, 1/2] and [0, 1/2]; by row, queries: [1, 0] and [1/2, 1/2].
    image, first, second = math.log1p(math.exp(-0.5)), math.log1p(math.exp(-1)), math.log(2)
    assert composed_loss() == pytest.approx((image + (first + second) / 2) / 2)
    drawn = composed_loss(is_matched=[True, False])
    assert drawn == pytest.approx((image + first) / 2)
    for name in ("other_there", "clothing_there"):
        assert composed_loss(**{name: [True, False]}) == pytest.approx((0 + first) / 2)
        assert composed_loss(**{name: [False, False]}) == 0
    same_person = composed_loss(persons=[0, 0])  # in another outfit: still not what is sought
    assert same_person == pytest.approx(composed_loss())
    assert composed_loss(outfits=[0, 0]) == pytest.approx(composed_loss())


@pytest.mark.parametrize("neck", ["none", "batch_norm"])
def test_composed_queries_change_no_other_loss_and_no_weight_of_the_start(neck):
    batch = t2i_reid_batch()
    on = build_t2i_reid(t2i_reid_scale(neck=neck)).train()
    off = build_t2i_reid(t2i_reid_scale(EVERY_LOSS | {"composed": None}, neck=neck)).train()
    state, plain = on.state_dict(), off.state_dict()
    assert {name for name in state if name not in plain} == {
        "objective.gate.weights.weight",
        "objective.gate.weights.bias",
    }
    assert all(torch.equal(state[name], value) for name, value in plain.items())
    losses = on(batch)
    del losses["composed_loss"]
    for name in ("other_images", "other_there"):
        del batch[name]
    without = off(batch)
    assert losses.keys() == without.keys()
    assert all(torch.equal(losses[name], value) for name, value in without.items())
    assert on.saved_parts().keys() == {"model", "gate"}
    assert off.saved_parts().keys() == {"model"}
    kept = on.saved_parts()["model"].state_dict()
    assert kept.keys() == off.saved_parts()["model"].state_dict().keys()


def test_composed_queries_teach_the_gate_both_branches_and_the_images_that_are_sought():
    model, batch = build_t2i_reid(t2i_reid_scale({"composed": 1.0})), t2i_reid_batch()
    found = gradients(model, batch, "composed_loss")
    for path in (
        "objective.gate.weights.weight",
        "branches.identity.image_head.weight",
        "branches.clothing.image_head.weight",
        "branches.clothing.text_head.weight",
    ):
        assert found[path].any(), path
    assert "branches.identity.text_head.weight" not in found


def test_a_batch_without_captions_of_one_kind_still_has_all_losses():
    model = build_t2i_reid(t2i_reid_scale())
    batch = t2i_reid_batch()
    batch["identity_there"][:] = batch["clothing_there"][:] = False
    losses = model(batch)
    for name in ("cloth_match_loss", "cloth_adv_loss", "bio_loss", "composed_loss"):
        assert losses[name].item() == 0
    sum(losses.values()).backward()


@pytest.mark.parametrize(("grl_on", "adversary"), [("both", 0.1), ("seed", None)])
def test_every_parameter_is_optimised_once_and_gets_a_gradient(grl_on, adversary):
    losses = EVERY_LOSS | {"cloth_adv": adversary}
    scale = t2i_reid_scale(losses, grl_on=grl_on, neck="batch_norm", conv_stem=True)
    model = build_t2i_reid(scale)
    groups = build_optimiser(model, scale.optimiser).param_groups
    grouped = [id(parameter) for group in groups for parameter in group["params"]]
    assert sorted(grouped) == sorted(id(parameter) for parameter in model.parameters())
    weighted_sum(model(t2i_reid_batch()), loss_weights(scale.t2i_reid.losses)).backward()
    assert [name for name, weight in model.named_parameters() if weight.grad is None] == []


@pytest.mark.parametrize("name", EVERY_LOSS)
def test_a_loss_that_is_off_is_not_there_and_has_no_head(name):
    model = build_t2i_reid(t2i_reid_scale(EVERY_LOSS | {name: None}))
    losses = model(t2i_reid_batch())
    assert f"{name}_loss" not in losses
    assert len(losses) == 2 + len(EVERY_LOSS) - 1
    sum(losses.values()).backward()
    assert all(weight.grad is not None for weight in model.parameters())


def test_the_published_form_has_no_adversary():
    with pytest.raises(ValidationError, match=r"set losses\.cloth_adv to null"):
        sections.t2i_reid(ADVERSARY, grl_on="seed")
