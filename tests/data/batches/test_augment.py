import numpy as np
import pytest
import sections
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torchvision.transforms import v2

from ubg.data.batches.augment import (
    Draws,
    augment_images,
    draw_augmentation,
    no_augmentation,
    normalisation_table,
)
from ubg.data.images.normalisation import Normalisation

MEAN, STD = (0.48, 0.46, 0.41), (0.27, 0.26, 0.28)
TABLE = normalisation_table(Normalisation(MEAN, STD))
PAPER = sections.augmentation(flip=0.5, pad=10, erase=0.5)


def random_images(size, height, width, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (size, height, width, 3), dtype=np.uint8)


def augmented(images, draws, table=TABLE):
    size, height, width, channels = images.shape
    out = np.full((size, channels, height, width), np.nan, np.float32)
    augment_images(images, draws, table, out)
    return out


def naive(image, geometry, pad):
    """Flip, pad, crop, normalise, erase with torchvision, one image at a time."""
    flip, down, right, top, left, box_height, box_width = (int(value) for value in geometry)
    height, width, _ = image.shape
    picture = torch.from_numpy(image).permute(2, 0, 1)
    if flip:
        picture = v2.functional.horizontal_flip(picture)
    picture = v2.functional.pad(picture, [pad], fill=0)
    picture = v2.functional.crop(picture, pad + down, pad + right, height, width)
    picture = v2.functional.normalize(picture.float() / 255, MEAN, STD)
    if box_height:
        picture[:, top : top + box_height, left : left + box_width] = 0
    return picture.numpy()


def draw(augmentation, size, height=48, width=16, seed=1, epoch=0):
    ids = np.arange(size)
    return draw_augmentation(augmentation, seed, epoch, ids, ids, (height, width))


@settings(max_examples=50, deadline=None)
@given(
    height=st.integers(2, 24),
    width=st.integers(2, 24),
    pad=st.integers(0, 30),
    seed=st.integers(0, 2**31 - 1),
)
def test_a_batch_equals_torchvision_one_by_one(height, width, pad, seed):
    images = random_images(6, height, width, seed)
    draws = draw(sections.augmentation(flip=0.5, pad=pad, erase=0.5), 6, height, width, seed)
    expected = np.stack(
        [naive(image, row, pad) for image, row in zip(images, draws.geometry_B7, strict=True)]
    )
    np.testing.assert_array_equal(augmented(images, draws), expected)


def test_without_augmentation_images_are_only_normalised():
    images = random_images(3, 8, 6)
    expected = np.stack([naive(image, np.zeros(7), pad=0) for image in images])
    np.testing.assert_array_equal(augmented(images, no_augmentation(3)), expected)


def test_padding_is_black_and_an_erased_box_is_the_mean_colour():
    white = np.full((1, 8, 6, 3), 255, np.uint8)
    draws = Draws(np.array([[0, 3, 0, 1, 2, 2, 3]], np.int32), np.zeros(1, np.uint64))
    out = augmented(white, draws)[0]
    np.testing.assert_array_equal(out[:, 5:], np.broadcast_to(TABLE[:, :1, None], (3, 3, 6)))
    np.testing.assert_array_equal(out[:, 1:3, 2:5], 0)
    assert (out == TABLE[:, 255, None, None]).sum() == 3 * (5 * 6 - 2 * 3)


def test_a_draw_is_the_same_in_every_batch_and_differs_between_its_keys():
    whole = draw(PAPER, 64)
    order = np.random.default_rng(0).permutation(64)
    shuffled = draw_augmentation(PAPER, 1, 0, order, order, (48, 16))
    np.testing.assert_array_equal(shuffled.geometry_B7, whole.geometry_B7[order])
    same = np.arange(64)
    for other in (
        draw_augmentation(PAPER, 2, 0, same, same, (48, 16)),
        draw_augmentation(PAPER, 1, 1, same, same, (48, 16)),
        draw_augmentation(PAPER, 1, 0, same + 1, same, (48, 16)),
        draw_augmentation(PAPER, 1, 0, same, same + 1, (48, 16)),
        draw_augmentation(PAPER, 2, 1, same, same, (48, 16)),
    ):
        equal_rows = (other.geometry_B7 == whole.geometry_B7).all(1)
        assert equal_rows.mean() < 0.2


def test_seed_and_epoch_do_not_trade_places():
    pairs = [(seed, epoch) for seed in range(12) for epoch in range(12)]
    draws = {draw(PAPER, 8, seed=s, epoch=e).geometry_B7.tobytes() for s, e in pairs}
    assert len(draws) == len(pairs)


def test_flips_and_crops_have_the_promised_distribution():
    geometry = draw(sections.augmentation(flip=0.3, pad=4, erase=0), 40_000).geometry_B7
    assert geometry[:, 0].mean() == pytest.approx(0.3, abs=0.01)
    for offsets in geometry[:, 1:3].T:
        shares = np.bincount(offsets + 4, minlength=9) / len(offsets)
        np.testing.assert_allclose(shares, 1 / 9, atol=0.01)
    assert abs(np.corrcoef(geometry[:, :3].T) - np.eye(3)).max() < 0.02
    assert not geometry[:, 3:].any()


@pytest.mark.parametrize("augmentation", [PAPER, sections.augmentation(flip=0, pad=0, erase=1)])
def test_erased_boxes_are_distributed_as_those_of_torchvision(augmentation):
    height, width, size = 48, 16, 20_000
    boxes = draw(augmentation, size, height, width).geometry_B7[:, 3:]
    torch.manual_seed(0)
    transform = v2.RandomErasing(
        augmentation.erase,
        scale=augmentation.erase_area,
        ratio=(augmentation.erase_aspect, 1 / augmentation.erase_aspect),
    )
    white = torch.ones(1, height, width)
    theirs = []
    for _ in range(4000):
        erased = (transform(white)[0] == 0).nonzero()
        if len(erased):
            first, last = erased[0], erased[-1]
            theirs.append(torch.cat([first, last - first + 1]).numpy())
    expected = np.array(theirs)
    ours = boxes[boxes[:, 2] > 0]
    assert len(ours) / size == pytest.approx(len(expected) / 4000, abs=0.03)
    assert (ours[:, 0] + ours[:, 2]).max() == height
    assert (ours[:, 1] + ours[:, 3]).max() == width
    for column, limit in enumerate((height, width, height, width)):
        quantiles = np.linspace(0.05, 0.95, 10)
        np.testing.assert_allclose(
            np.quantile(ours[:, column], quantiles) / limit,
            np.quantile(expected[:, column], quantiles) / limit,
            atol=0.08,
        )


def test_noise_fills_the_box_with_independent_normal_numbers():
    noise = sections.augmentation(flip=0, pad=0, erase=1, erase_area=(0.2, 0.4), erase_fill="noise")
    draws = draw(noise, 64, 64, 64)
    images = np.zeros((64, 64, 64, 3), np.uint8)
    out = augmented(images, draws)
    inside = np.zeros((64, 64, 64), bool)
    for b, (top, left, height, width) in enumerate(draws.geometry_B7[:, 3:]):
        inside[b, top : top + height, left : left + width] = True
    values = out.transpose(0, 2, 3, 1)[inside]
    assert len(np.unique(values)) > 0.99 * values.size
    assert values.mean() == pytest.approx(0, abs=0.02)
    assert values.std() == pytest.approx(1, abs=0.02)
    assert (np.abs(values) > 2).mean() == pytest.approx(0.0455, abs=0.005)
    assert abs(np.corrcoef(values.T) - np.eye(3)).max() < 0.02
    black = out.transpose(0, 2, 3, 1)[~inside]
    np.testing.assert_array_equal(black, np.broadcast_to(TABLE[:, 0], black.shape))
    again = augmented(images[::-1], draw(noise, 64, 64, 64))
    np.testing.assert_array_equal(again, out)


@pytest.mark.parametrize("fill", ["mean", "noise"])
def test_grey_images_are_augmented_as_each_channel_of_colour_is(fill):
    lively = sections.augmentation(flip=0.5, pad=4, erase=0.7, erase_fill=fill)
    images, draws = random_images(8, 24, 12), draw(lively, 8, 24, 12)
    grey_table = normalisation_table(Normalisation(MEAN[:1], STD[:1]))
    found = augmented(np.ascontiguousarray(images[..., :1]), draws, grey_table)
    assert found.shape == (8, 1, 24, 12)
    np.testing.assert_array_equal(found, augmented(images, draws)[:, :1])
