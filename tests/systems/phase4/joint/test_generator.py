"""From a batch to scores: each decoder is told what it may know, and scored where it must."""

import pytest
import torch
from tiny_models import CODES, PATCHES, build_phase4, full_batch, tiny_generation, tiny_scale

from ubg.losses.generation import IGNORED
from ubg.systems.phase4.decoder import UNKNOWN

TARGET = pytest.mark.parametrize("target", ["masked", "whole"])


def model_of(generation):
    return build_phase4(tiny_scale("2d"), generation).eval()


def logits_by_place(model, batch):
    found = model.generator(model.retrieval, batch)
    places = zip(found.sample_P.tolist(), found.position_P.tolist(), strict=True)
    return dict(zip(places, found.logits_PV, strict=True))


@TARGET
@pytest.mark.parametrize("decoder", ["parallel", "autoregressive"])
def test_a_sample_is_predicted_alike_in_every_batch(decoder, target):
    generation = tiny_generation(decoder=decoder, target=target, reveal=0.6)
    model, batch = model_of(generation), full_batch(generation)
    together = logits_by_place(model, batch)
    for row in range(6):
        length = int(batch["caption_attn_mask_t5"][row].sum())
        alone = {name: values[row : row + 1] for name, values in batch.items()}
        for name in ("caption_ids_t5", "caption_attn_mask_t5"):
            alone[name] = alone[name][:, :length]
        for (_, place), logits in logits_by_place(model, alone).items():
            torch.testing.assert_close(together[row, place], logits, atol=1e-5, rtol=1e-5)


def test_parallel_decoding_is_told_what_is_revealed_and_never_the_target():
    generation = tiny_generation(reveal=1.0)
    model, batch = model_of(generation), full_batch(generation)
    before = logits_by_place(model, batch)
    other = dict(batch)
    other["vq_target_ids"] = torch.where(
        batch["vq_target_ids"] == IGNORED, IGNORED, (batch["vq_target_ids"] + 1) % CODES
    )
    after = logits_by_place(model, other)
    assert all(torch.equal(before[place], after[place]) for place in before)
    told = batch["vq_known_ids"] != UNKNOWN
    assert told.any()
    other["vq_known_ids"] = torch.where(told, (batch["vq_known_ids"] + 1) % CODES, UNKNOWN)
    after = logits_by_place(model, other)
    for (row, place), logits in before.items():
        assert torch.allclose(logits, after[row, place], atol=1e-6) == (not told[row].any())


@TARGET
@pytest.mark.parametrize("decoder", ["parallel", "autoregressive"])
def test_scores_over_the_grid_are_those_of_the_predictions_and_0_elsewhere(decoder, target):
    generation = tiny_generation(decoder=decoder, target=target, reveal=0.6)
    model, batch = model_of(generation), full_batch(generation)
    ids, queried = batch["vq_target_ids"], batch["vq_target_attn_mask"]
    known = batch["vq_known_ids"]
    if decoder == "autoregressive":
        known = torch.where(ids == IGNORED, UNKNOWN, ids)
    condition = model.generator.condition(model.retrieval, batch)
    scores = model.generator.scores(*condition, known, queried)
    assert scores.shape == (6, PATCHES, CODES)
    assert not scores[~queried].any()
    assert scores[queried].any(-1).all()
    for place, logits in logits_by_place(model, batch).items():
        torch.testing.assert_close(scores[place], logits)


@TARGET
def test_autoregressive_decoding_is_told_the_codes_before_and_no_other(target):
    generation = tiny_generation(decoder="autoregressive", target=target)
    model, batch = model_of(generation), full_batch(generation)
    before = logits_by_place(model, batch)
    for changed in range(PATCHES):
        ids = batch["vq_target_ids"].clone()
        asked = ids[:, changed] != IGNORED
        ids[asked, changed] = (ids[asked, changed] + 1) % CODES
        after = logits_by_place(model, batch | {"vq_target_ids": ids})
        for (row, place), logits in before.items():
            same = torch.allclose(logits, after[row, place], atol=1e-6)
            assert same == (place <= changed or not asked[row])


def test_the_caption_and_the_visible_patches_are_read():
    generation = tiny_generation()
    model, batch = model_of(generation), full_batch(generation)
    before = logits_by_place(model, batch)
    captions = {
        name: batch[name].roll(1, dims=0) for name in ("caption_ids_t5", "caption_attn_mask_t5")
    }
    images = {"masked_images": batch["masked_images"].flip(3)}
    for changed in (captions, images):
        after = logits_by_place(model, batch | changed)
        assert any(not torch.allclose(before[place], after[place], atol=1e-5) for place in before)
