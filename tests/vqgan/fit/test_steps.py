"""Fitting: what each stretch of steps trains, and that a stopped run ends like a whole one."""

import numpy as np
import pytest
import sections
import torch

from ubg.vqgan.fit.make import build_vqgan
from ubg.vqgan.fit.steps import fit
from ubg.vqgan.model.vqgan import to_signed

PARAMS = sections.vqgan_fit(
    codes=8,
    code_dim=4,
    channels=32,
    multipliers=(1, 1),
    blocks=1,
    patch=4,
    steps=9,
    batch_size=3,
    lr=2e-3,
    lr_warmup_steps=2,
    warmup_steps=4,
    commitment=0.25,
    revive_every=2,
    precision="fp32",
    discriminator={"weight": 0.1, "start_step": 6, "channels": 8, "layers": 1},
    checkpoint_seconds=0,
)
PIXELS = np.random.default_rng(0).integers(0, 256, (12, 32, 16, 3), dtype=np.uint8)


def fresh():
    torch.manual_seed(3)
    return build_vqgan(PARAMS)


def read(indices):
    return PIXELS[indices]


def same_weights(one, other):
    return all(
        torch.equal(a, b)
        for a, b in zip(one.state_dict().values(), other.state_dict().values(), strict=True)
    )


class Stop(Exception):
    pass


def reader_that_stops_after(count):
    reads = iter(range(count))

    def stopping(indices):
        if next(reads, None) is None:
            raise Stop
        return PIXELS[indices]

    return stopping


def test_stopped_anywhere_and_continued_equals_uninterrupted(tmp_path):
    whole = fresh()
    fit(whole, read, 12, PARAMS, seed=1, folder=tmp_path / "whole")
    for reads in (2, 6, 9):  # in the warm-up, within k-means, beside the adversary
        folder = tmp_path / str(reads)
        with pytest.raises(Stop):
            fit(fresh(), reader_that_stops_after(reads), 12, PARAMS, seed=1, folder=folder)
        continued = fresh()
        fit(continued, read, 12, PARAMS, seed=1, folder=folder)
        assert same_weights(continued, whole)


def test_another_seed_gives_other_weights(tmp_path):
    one, other = fresh(), fresh()
    fit(one, read, 12, PARAMS, seed=1, folder=tmp_path / "1")
    fit(other, read, 12, PARAMS, seed=2, folder=tmp_path / "2")
    assert not same_weights(one, other)


def test_the_codebook_waits_for_the_end_of_the_warm_up(tmp_path):
    model = fresh()
    untouched = model.quantize.embedding.weight.detach().clone()
    with pytest.raises(Stop):
        fit(model, reader_that_stops_after(4), 12, PARAMS, seed=1, folder=tmp_path)
    assert torch.equal(model.quantize.embedding.weight, untouched)


def test_two_kinds_of_images_are_told_apart_after_a_few_steps(tmp_path):
    pixels = np.zeros((16, 32, 16, 3), np.uint8)
    pixels[::2, ..., 0], pixels[1::2, ..., 2] = 230, 230
    changes = {"codes": 2, "steps": 100, "warmup_steps": 50, "discriminator": None}
    params = PARAMS.model_copy(update=changes | {"checkpoint_seconds": 1e9})
    torch.manual_seed(0)
    model = build_vqgan(params)
    fit(model, lambda indices: pixels[indices], 16, params, seed=0, folder=tmp_path)
    images = to_signed(torch.from_numpy(pixels).permute(0, 3, 1, 2))
    with torch.inference_mode():
        decoded = model.decode(model.encode(images))
    red, _, blue = decoded.mean((2, 3)).T
    assert (red - blue > 1)[::2].all()
    assert (blue - red > 1)[1::2].all()


def test_an_infinite_loss_is_an_error_and_no_checkpoint(tmp_path):
    model = fresh()
    model.decoder.conv_out.bias.data.fill_(float("inf"))
    params = PARAMS.model_copy(update={"steps": 10, "checkpoint_seconds": 1e9})
    with pytest.raises(ValueError, match="not finite at step 10; lower its lr"):
        fit(model, read, 12, params, seed=1, folder=tmp_path)
    assert not list(tmp_path.iterdir())
