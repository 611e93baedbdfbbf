"""LPIPS from a file equals the formula written out over VGG-16's layers."""

import numpy as np
import pytest
import sections
import torch
from torch.nn import functional
from torchvision.models.vgg import cfgs, make_layers

from ubg.vqgan.fit.make import build_vqgan
from ubg.vqgan.fit.perceptual import Perceptual
from ubg.vqgan.fit.steps import fit

# The index of each stage's first layer in VGG-16, and the end of the last stage.
STAGES = (0, 4, 9, 16, 23, 30)


@pytest.fixture(scope="module")
def features():
    torch.manual_seed(0)
    return make_layers(cfgs["D"], batch_norm=False)


@pytest.fixture(scope="module")
def weights(features):
    """A state dict of taming's LPIPS over `features`."""
    found = {}
    for name, value in features.state_dict().items():
        stage = next(n for n in range(5) if int(name.split(".")[0]) < STAGES[n + 1])
        found[f"net.slice{stage + 1}.{name}"] = value
    for stage, channels in enumerate((64, 128, 256, 512, 512)):
        found[f"lin{stage}.model.1.weight"] = torch.rand(1, channels, 1, 1)
    return found


def test_equals_the_formula(features, weights, tmp_path):
    torch.save(weights, tmp_path / "lpips.pth")
    perceptual = Perceptual(tmp_path / "lpips.pth")
    pair = torch.rand(2, 2, 3, 32, 32) * 2 - 1
    images, reconstruction = pair.unbind(0)
    shift = torch.tensor([-0.030, -0.088, -0.188]).view(3, 1, 1)
    scale = torch.tensor([0.458, 0.448, 0.450]).view(3, 1, 1)
    one, other = (images - shift) / scale, (reconstruction - shift) / scale
    expected = torch.zeros(2)
    for stage in range(5):
        layers = features[STAGES[stage] : STAGES[stage + 1]]
        one, other = layers(one), layers(other)
        squares = (functional.normalize(one) - functional.normalize(other)).square()
        weighted = squares * weights[f"lin{stage}.model.1.weight"]
        expected += weighted.sum(1).mean((1, 2))
    torch.testing.assert_close(perceptual(images, reconstruction).flatten(), expected)
    assert perceptual(images, images).abs().max() == 0
    assert not any(weight.requires_grad for weight in perceptual.parameters())


def test_weights_within_a_published_checkpoint(weights, tmp_path):
    inside = {f"loss.perceptual_loss.{name}": value for name, value in weights.items()}
    torch.save({"state_dict": inside | {"quant_conv.bias": torch.zeros(4)}}, tmp_path / "last.ckpt")
    found = Perceptual(tmp_path / "last.ckpt").state_dict()
    assert all(torch.equal(found[name], value) for name, value in weights.items())


def test_another_file_is_refused(tmp_path):
    torch.save({"quant_conv.bias": torch.zeros(4)}, tmp_path / "other.pth")
    with pytest.raises(ValueError, match=r"other\.pth: holds no LPIPS .* 'lin0\.model\.1\.weight'"):
        Perceptual(tmp_path / "other.pth")


def test_the_linear_layers_alone_are_refused_and_told_what_is_missing(weights, tmp_path):
    alone = {name: value for name, value in weights.items() if name.startswith("lin")}
    torch.save(alone, tmp_path / "vgg.pth")
    with pytest.raises(ValueError, match=r"vgg\.pth: .* without VGG-16 \(net\.\*\)"):
        Perceptual(tmp_path / "vgg.pth")


def test_a_fit_follows_it(weights, tmp_path):
    torch.save(weights, tmp_path / "lpips.pth")
    sizes = {"codes": 4, "code_dim": 4, "channels": 32, "multipliers": (1,), "blocks": 1}
    schedule = {"steps": 2, "batch_size": 2, "lr": 1e-3, "lr_warmup_steps": 0, "warmup_steps": 1}
    other = {"patch": 8, "commitment": 0.25, "revive_every": 1, "precision": "fp32"}
    pixels = np.random.default_rng(0).integers(0, 256, (4, 32, 16, 3), dtype=np.uint8)
    fitted = []
    for perceptual in (None, {"weight": 1.0, "lpips": str(tmp_path / "lpips.pth")}):
        params = sections.vqgan_fit(**sizes, **schedule, **other, perceptual=perceptual)
        torch.manual_seed(0)
        model = build_vqgan(params)
        folder = tmp_path / str(perceptual is None)
        fit(model, lambda indices: pixels[indices], 4, params, seed=0, folder=folder)
        fitted.append(model.decoder.conv_out.weight)
    assert not torch.equal(*fitted)
