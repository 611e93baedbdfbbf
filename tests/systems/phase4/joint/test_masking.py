"""Masks are a function of seed, epoch, image and caption, and distributed as promised."""

import numpy as np
import pytest
import sections
from tiny_models import tiny_generation

from ubg.data.batches.augment import draw_augmentation
from ubg.systems.phase4.joint.masking import draw_masks

MANY = 5000


def draw(generation, grid=(4, 2), seed=1, epoch=0, size=MANY):
    ids = np.arange(size)
    return draw_masks(generation, grid, seed, epoch, ids, ids)


def test_a_mask_is_the_same_in_every_batch_and_differs_between_its_keys():
    generation = tiny_generation(reveal=0.5, text_dropout=0.5)
    grid, ids = (12, 4), np.arange(64)
    whole = draw_masks(generation, grid, 1, 0, ids, ids)
    order = np.random.default_rng(0).permutation(64)
    shuffled = draw_masks(generation, grid, 1, 0, order, order)
    for found, expected in zip(shuffled, whole, strict=True):
        np.testing.assert_array_equal(found, expected[order])
    alone = draw_masks(generation, grid, 1, 0, ids[5:6], ids[5:6])
    for found, expected in zip(alone, whole, strict=True):
        np.testing.assert_array_equal(found[0], expected[5])
    for keys in ((2, 0, ids, ids), (1, 1, ids, ids), (1, 0, ids + 1, ids), (1, 0, ids, ids + 1)):
        other = draw_masks(generation, grid, *keys)
        assert (other.masked_BN == whole.masked_BN).all(1).mean() < 0.2


@pytest.mark.parametrize(("grid", "ratio"), [((4, 2), 0.75), ((12, 4), 0.6), ((3, 5), 1.0)])
def test_single_patches_are_masked_in_the_exact_share(grid, ratio):
    generation = tiny_generation(mask_ratio=(ratio, ratio))
    masked = draw(generation, grid, size=50).masked_BN
    assert set(masked.sum(1)) == {round(ratio * grid[0] * grid[1])}


@pytest.mark.parametrize("schedule", ["cosine", "uniform"])
def test_ratios_stay_in_their_range_and_at_least_one_patch_is_masked(schedule):
    for low, high in [(0.25, 0.5), (0.5, 1.0), (0.01, 0.05)]:
        generation = tiny_generation(mask_ratio=(low, high), mask_schedule=schedule)
        counts = draw(generation, (5, 4), size=500).masked_BN.sum(1)
        assert counts.min() >= max(1, round(low * 20))
        assert counts.max() <= max(1, round(high * 20))


def test_ratios_of_the_cosine_schedule_have_its_distribution():
    ratio = draw(tiny_generation(mask_ratio=(0.5, 1.0)), (20, 20)).masked_BN.mean(1)
    for threshold in (0.6, 0.7, 0.8, 0.9, 0.95):
        # cos(pi u / 2) >= threshold
        expected = np.arccos(threshold) * 2 / np.pi
        assert (ratio >= threshold).mean() == pytest.approx(expected, abs=0.025)
    assert (ratio == 0.5).mean() == pytest.approx(1 / 3, abs=0.025)


def test_ratios_of_the_uniform_schedule_are_uniform():
    generation = tiny_generation(mask_ratio=(0.2, 0.8), mask_schedule="uniform")
    ratio = draw(generation, (20, 20)).masked_BN.mean(1)
    quantiles = np.linspace(0.1, 0.9, 9)
    np.testing.assert_allclose(np.quantile(ratio, quantiles), 0.2 + 0.6 * quantiles, atol=0.02)


def test_every_set_of_patches_is_as_likely():
    generation = tiny_generation(mask_ratio=(0.5, 0.5))
    masked = draw(generation, (2, 2), size=12_000).masked_BN
    _, counts = np.unique(masked, axis=0, return_counts=True)
    np.testing.assert_allclose(counts / 12_000, np.full(6, 1 / 6), atol=0.015)


@pytest.mark.parametrize("grid", [(4, 2), (12, 4), (5, 3)])
def test_blocks_are_masked_whole(grid):
    rows, columns = grid
    masks = draw(tiny_generation(block_size=2), grid, size=200).masked_BN.reshape(-1, *grid)
    for top in range(0, rows, 2):
        for left in range(0, columns, 2):
            block = masks[:, top : top + 2, left : left + 2].reshape(200, -1)
            assert (block.all(1) == block.any(1)).all()
            assert block.any()
    assert not masks.all() or rows * columns <= 4


def test_some_of_the_masked_patches_are_revealed_but_never_all():
    masked, revealed, _ = draw(tiny_generation(reveal=0.4), (12, 4))
    assert not (revealed & ~masked).any()
    assert (revealed.sum(1) < masked.sum(1)).all()
    told = revealed.any(1)
    assert told.mean() == pytest.approx(0.4 * (1 - 1 / 36), abs=0.03)  # a few round down to none
    share = revealed.sum(1)[told] / masked.sum(1)[told]
    np.testing.assert_allclose(np.quantile(share, [0.25, 0.5, 0.75]), [0.25, 0.5, 0.75], atol=0.05)
    at = revealed[told].sum(0) / masked[told].sum(0)
    assert at.max() - at.min() < 0.1


def test_nothing_is_revealed_or_hidden_unless_asked_for():
    masks = draw(tiny_generation(), size=500)
    assert not masks.revealed_BN.any()
    assert not masks.text_hidden_B.any()
    everything = draw(tiny_generation(reveal=1.0, text_dropout=1.0), size=500)
    assert everything.text_hidden_B.all()
    np.testing.assert_array_equal(everything.masked_BN, masks.masked_BN)


def test_captions_are_hidden_in_their_share_whatever_is_masked():
    masks = draw(tiny_generation(text_dropout=0.3), (12, 4))
    assert masks.text_hidden_B.mean() == pytest.approx(0.3, abs=0.02)
    ratio = masks.masked_BN.mean(1)
    assert abs(np.corrcoef(ratio, masks.text_hidden_B)[0, 1]) < 0.05


def test_masks_and_augmentation_of_a_sample_are_independent():
    ids = np.arange(MANY)
    paper = sections.augmentation(flip=0.5, pad=10, erase=0.5)
    geometry = draw_augmentation(paper, 1, 0, ids, ids, (192, 64)).geometry_B7
    ratio = draw(tiny_generation(), (12, 4)).masked_BN.mean(1)
    for column in geometry.T[:3]:
        assert abs(np.corrcoef(ratio, column)[0, 1]) < 0.05
