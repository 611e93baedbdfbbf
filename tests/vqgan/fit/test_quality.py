"""The reported numbers against hand-computed ones, and the picture."""

import math

import numpy as np
import pytest
import torch
from PIL import Image

from ubg.vqgan.fit.quality import (
    TITLE,
    draw_reconstructions,
    measure,
    perplexity,
    psnr,
    reconstruct,
)
from ubg.vqgan.model.architecture import Architecture
from ubg.vqgan.model.vqgan import VQGAN

PIXELS = np.random.default_rng(0).integers(0, 256, (70, 16, 8, 3), dtype=np.uint8)


class Pack:
    height, width = 16, 8

    def read(self, rows):
        return PIXELS[rows]


@pytest.fixture
def model():
    torch.manual_seed(0)
    sizes = {"codes": 16, "code_dim": 4, "latent_channels": 8, "channels": 32, "blocks": 1}
    return VQGAN(Architecture(**sizes, multipliers=(1, 1), patch=2)).eval()


def test_psnr_by_hand():
    images = torch.zeros(2, 1, 2, dtype=torch.uint8)
    reconstructions = torch.tensor([[[3, 4]], [[0, 10]]], dtype=torch.uint8)
    expected = [10 * math.log10(255**2 / 12.5), 10 * math.log10(255**2 / 50)]
    assert psnr(reconstructions, images).tolist() == pytest.approx(expected)
    assert psnr(images, images).isfinite().all()


def test_perplexity_is_the_number_of_equally_frequent_codes():
    assert perplexity(torch.tensor([0, 5, 5, 0, 5, 5])) == pytest.approx(4)
    assert perplexity(torch.tensor([0, 9])) == pytest.approx(1)
    assert perplexity(torch.tensor([1, 3])) == pytest.approx(4 / 3**0.75)


def test_measure_goes_over_all_images(model):
    rows = np.arange(3, 70)
    quality = measure(model, Pack(), rows)
    reconstructions, ids = reconstruct(model, PIXELS[rows])
    expected = psnr(reconstructions, torch.from_numpy(PIXELS[rows])).mean().item()
    assert quality.psnr == pytest.approx(expected, abs=2e-3)
    assert quality.used_codes == len(ids.unique())
    assert quality.perplexity == pytest.approx(perplexity(torch.bincount(ids.flatten())), abs=0.01)
    assert quality.codes == 16


def test_picture_has_originals_above_reconstructions(model, tmp_path):
    rows = np.arange(70)
    draw_reconstructions(model, Pack(), rows, tmp_path / "picture.png")
    picture = np.asarray(Image.open(tmp_path / "picture.png"))
    assert (picture[:TITLE] < 128).any()
    picture = picture[TITLE:]
    scale, gap = 12, 6
    assert picture.shape == (2 * (16 * scale + gap), 12 * (8 * scale + gap), 3)
    reconstructions, _ = reconstruct(model, PIXELS[[0, 69]])
    last = picture.shape[1] - gap
    assert (picture[: 16 * scale : scale, : 8 * scale : scale] == PIXELS[0]).all()
    lower = picture[16 * scale + gap : -gap : scale, last - 8 * scale : last : scale]
    assert (lower == reconstructions[1].numpy()).all()


def test_few_images_are_drawn_once_each(model, tmp_path):
    asked = []

    class Asked(Pack):
        def read(self, rows):
            asked.extend(rows.tolist())
            return super().read(rows)

    draw_reconstructions(model, Asked(), np.array([4, 5, 9]), tmp_path / "picture.png")
    assert asked == [4, 5, 9]
