import numpy as np
import pytest
import sections

from ubg.data.batches.augment import augment_images, draw_augmentation, normalisation_table
from ubg.data.images.normalisation import Normalisation
from ubg.systems.phase4.joint.hiding import flip_alone, hide_patches


def test_flip_alone_neither_crops_nor_erases():
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (16, 12, 8, 3), dtype=np.uint8)
    noise = sections.augmentation(flip=0.5, pad=4, erase=1, erase_fill="noise")
    ids = np.arange(16)
    draws = draw_augmentation(noise, 1, 0, ids, ids, (12, 8))
    before = draws.geometry_B7.copy()
    flips = before[:, 0] == 1
    assert 0 < flips.sum() < 16
    assert before[:, 1:].any()
    out = np.empty((16, 3, 12, 8), np.float32)
    values = normalisation_table(Normalisation((0.5, 0.4, 0.3), (0.2, 0.3, 0.4)))
    augment_images(images, flip_alone(draws), values, out)
    for image, flipped, found in zip(images, flips, out, strict=True):
        turned = image[:, ::-1] if flipped else image
        expected = [values[channel][turned[..., channel]] for channel in range(3)]
        np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(draws.geometry_B7, before)


@pytest.mark.parametrize(("rows", "columns"), [(4, 2), (1, 1), (12, 8), (3, 4)])
def test_hidden_patches_are_0_and_nothing_else_is(rows, columns):
    rng = np.random.default_rng(rows)
    images = rng.normal(size=(5, 3, 12, 8)).astype(np.float32)
    masked = rng.random((5, rows * columns)) < 0.5
    expected = images.copy()
    for b in range(5):
        for y in range(12):
            for x in range(8):
                patch = y // (12 // rows) * columns + x // (8 // columns)
                if masked[b, patch]:
                    expected[b, :, y, x] = 0
    hide_patches(images, masked, rows, columns)
    np.testing.assert_array_equal(images, expected)
