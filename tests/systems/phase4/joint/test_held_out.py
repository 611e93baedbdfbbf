"""What is measured on held-out images equals a loop over samples and positions."""

import numpy as np
import pytest
import torch
from tiny_held_out import held_out_table, hold_out
from tiny_models import CODES, build_phase4, tiny_generation, tiny_scale
from torch.nn import functional as F

from ubg.losses.generation import IGNORED
from ubg.systems.phase4.joint.held_out import score
from ubg.systems.phase4.scores import captions_of_others, own_captions, summarise_generation
from ubg.systems.phase4.unigram import position_unigram_ce, unigram_ce


@pytest.fixture
def table():
    return held_out_table()


def naive_scores(model, held_out, caption_rows):
    """(row, position, target, cross-entropy, most likely code) of every prediction, one by one."""
    found = []
    targets, pixels = held_out.targets, held_out.pack.pixels
    mean, std = (torch.tensor(v) for v in (model.normalisation.mean, model.normalisation.std))
    for row, sample in held_out.table.iterrows():
        ids = [np.array([sample[name]]) for name in ("image_id", "caption_id")]
        fields = targets.fields(0, *ids, np.array([False]))
        image = torch.from_numpy(pixels[sample["image_id"]]).float() / 255
        image = ((image - mean) / std).permute(2, 0, 1)[None].clone()
        for patch in fields["masked_patches"][0].nonzero()[:, 0].tolist():
            top, left = 16 * (patch // 2), 16 * (patch % 2)
            image[..., top : top + 16, left : left + 16] = 0
        batch = {**fields, **held_out.captions.batch(caption_rows[row : row + 1])}
        with torch.no_grad():
            logits = model.generator(model.retrieval, batch | {"masked_images": image}).logits_PV
        places = (fields["vq_target_ids"][0] != IGNORED).nonzero()[:, 0].tolist()
        for place, scored in zip(places, logits, strict=True):
            code = int(fields["vq_target_ids"][0, place])
            ce = F.cross_entropy(scored, torch.tensor(code)).item()
            found.append((row, place, code, ce, int(scored.argmax()) == code))
    return found


@pytest.mark.parametrize("batch_size", [4, 14])
@pytest.mark.parametrize(
    "branch",
    [
        {},
        {"target": "whole", "masked_patch": "grey"},
        {"decoder": "autoregressive", "masked_patch": "embedding"},
    ],
)
@pytest.mark.parametrize("positions", ["1d", "2d"])
def test_scores_by_a_loop(table, branch, positions, batch_size):
    generation = tiny_generation(**branch)
    held_out = hold_out(table, generation)
    model = build_phase4(tiny_scale(positions, conv_stem=True), generation).eval()
    for caption_rows in (own_captions(table), captions_of_others(table)):
        found = score(model, held_out, caption_rows, batch_size)
        columns = zip(*naive_scores(model, held_out, caption_rows), strict=True)
        row, position, target, ce, correct = (np.array(values) for values in columns)
        np.testing.assert_array_equal(found.row_P, row)
        np.testing.assert_array_equal(found.position_P, position)
        np.testing.assert_array_equal(found.target_ids_P, target)
        np.testing.assert_allclose(found.ce_P, ce, atol=1e-5)
        np.testing.assert_array_equal(found.correct_P, correct)


def test_summary_has_every_prediction_beside_its_floors(table):
    generation = tiny_generation()
    held_out = hold_out(table, generation)
    model = build_phase4(tiny_scale(), generation).eval()
    true = score(model, held_out, own_captions(table), 8)
    shuffled = score(model, held_out, captions_of_others(table), 8)
    training = held_out.targets.tokens.ids_N2L[:, 0]
    summary = summarise_generation(true, shuffled, training, CODES)
    expected = {
        "ce": true.ce_P,
        "accuracy": true.correct_P,
        "shuffled_caption_ce": shuffled.ce_P,
        "unigram_ce": unigram_ce(training, true.target_ids_P, CODES),
        "position_unigram_ce": position_unigram_ce(
            training, true.target_ids_P, true.position_P, CODES
        ),
    }
    assert summary.keys() == expected.keys()
    for name, values in expected.items():
        np.testing.assert_array_equal(summary[name], values)
    assert not np.allclose(summary["ce"], summary["shuffled_caption_ce"])
