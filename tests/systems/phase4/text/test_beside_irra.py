"""The branch beside IRRA: its losses stay, its captions are read, and it retrieves without them."""

import pytest
import torch
from tiny_held_out import MemoryPack, WordTokenizer, held_out_table
from tiny_irra import build_irra, irra_batch, irra_scale
from tiny_models import CODES, MemoryTokens, build_text, code_classes, text_batch, text_generation

from ubg.data.text.captions import CLIP_FIELDS
from ubg.retrieval.encode import encode_split, make_split
from ubg.systems.phase4.text.branch import TextBranch
from ubg.systems.phase4.text.held_out import hold_out
from ubg.systems.phase4.text.model import TextModel
from ubg.systems.phase4.text.targets import ClassTargets
from ubg.training.loop import weighted_sum
from ubg.training.task import loss_weights

GENERATION = text_generation(beside="irra")


def with_branch(scale):
    """IRRA as it trains, and a branch that says something."""
    generator = build_text(scale, GENERATION).generator
    torch.nn.init.normal_(generator.reader.decoder.head.weight)
    return TextModel(build_irra(scale), generator, GENERATION)


def batch():
    return irra_batch() | {"code_classes": text_batch(GENERATION)["code_classes"]}


def step(model, weights):
    torch.manual_seed(5)
    losses = model.train()(batch())
    weighted_sum(losses, {name: weights[name] for name in losses}).backward()
    return {name: parameter.grad for name, parameter in model.named_parameters()}


@pytest.mark.parametrize("contrast_on", ["clean", "masked"])
def test_its_losses_stay_and_the_branch_teaches_the_words(contrast_on):
    scale = irra_scale(contrast_on=contrast_on)
    weights = loss_weights(scale.irra.losses)
    alone = step(build_irra(scale), weights)
    off = step(with_branch(scale), weights | {"gen_loss": 0.0, "gen_itc_loss": 0.0})
    on = step(with_branch(scale), weights | {"gen_loss": 1.0, "gen_itc_loss": 0.1})
    for name, gradient in alone.items():
        torch.testing.assert_close(off[f"retrieval.{name}"], gradient, atol=0, rtol=0)
    words = [name for name in alone if name.startswith("text.")]
    assert any(not torch.equal(on[f"retrieval.{name}"], alone[name]) for name in words)
    own = [gradient for name, gradient in on.items() if name.startswith("generator.")]
    assert all(gradient is not None and gradient.any() for gradient in own)


def test_what_is_saved_only_encodes_and_parts_learn_as_in_irra():
    scale = irra_scale()
    irra, model = build_irra(scale), with_branch(scale)
    saved = model.saved_parts()
    assert saved["model"].state_dict().keys() == irra.saved_parts()["model"].state_dict().keys()
    assert saved["generator"] is model.generator
    assert model.caption_fields == CLIP_FIELDS
    assert model.per_identity == ("retrieval.objective.classifier.",)
    factors = [factors for _, factors in model.lr_factors()]
    assert factors == [factors for _, factors in irra.lr_factors()]


def test_validation_by_both_scores_needs_no_identity_of_training():
    scale = irra_scale()
    model, table = with_branch(scale).eval(), held_out_table()
    targets = ClassTargets(MemoryTokens(7), code_classes(GENERATION).of_code_V)
    held_out = hold_out(table, targets, WordTokenizer(), 9, CLIP_FIELDS)
    weights = loss_weights(scale.irra.losses) | {"gen_loss": 1.0, "gen_itc_loss": 0.1}
    branch = TextBranch(model, targets, held_out, MemoryPack(), weights, score_share=0.3)
    split = make_split(table, "val", WordTokenizer(), 9, CLIP_FIELDS)
    features = encode_split(model, split, MemoryPack(), 4, quiet=True)
    found = branch.validate(4, split, features)
    assert found.keys() == {"r1_both_scores", "gen_ce", "gen_accuracy", "shuffled_caption_gap"}
    assert model.generator.score_weight > 0
    assert model.generator.log_frequency_LK.shape[1] <= CODES
