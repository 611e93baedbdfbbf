"""A VQGAN goes to disk and back; the encoder's side needs no decoder, and faults are one line."""

import json

import pytest
import torch
from safetensors.torch import load_file, save_file
from taming.modules.diffusionmodules.model import Decoder, Encoder

from ubg.vqgan.model.architecture import Architecture
from ubg.vqgan.model.folder import load_vqgan, save_vqgan, vqgan_fingerprint
from ubg.vqgan.model.vqgan import VQGAN, to_signed, to_uint8

SIZES = Architecture(
    codes=16,
    code_dim=4,
    latent_channels=8,
    channels=32,
    multipliers=(1, 2),
    blocks=1,
    attention_resolutions=(32,),
    resolution=64,
    patch=2,
)


@pytest.fixture
def model():
    torch.manual_seed(0)
    return VQGAN(SIZES).eval()


@pytest.fixture
def folder(model, tmp_path):
    (tmp_path / "vqgan").mkdir()
    save_vqgan(model, tmp_path / "vqgan")
    return tmp_path / "vqgan"


IMAGES = torch.rand(2, 3, 16, 8, generator=torch.Generator().manual_seed(1)) * 2 - 1


def test_without_patches_it_is_taming_s_own_network():
    torch.manual_seed(0)
    model = VQGAN(SIZES.model_copy(update={"patch": 1})).eval()
    arguments = {
        "ch": 32,
        "out_ch": 3,
        "ch_mult": (1, 2),
        "num_res_blocks": 1,
        "attn_resolutions": [32],
        "in_channels": 3,
        "resolution": 64,
        "z_channels": 8,
        "double_z": False,
    }
    encoder, decoder = Encoder(**arguments), Decoder(**arguments)
    encoder.load_state_dict(model.encoder.state_dict())
    decoder.load_state_dict(model.decoder.state_dict())
    with torch.inference_mode():
        latents = model.quant_conv(encoder(IMAGES))
        codebook = model.quantize.embedding.weight
        distances = (latents[:, None] - codebook[None, :, :, None, None]).square().sum(2)
        ids = model.encode(IMAGES)
        assert torch.equal(ids, distances.argmin(1))
        codes = codebook[ids].permute(0, 3, 1, 2)
        assert torch.equal(model.decode(ids), decoder(model.post_quant_conv(codes)))


def test_grid_and_shapes(model):
    assert (model.codes, model.factor) == (16, 4)
    assert model.grid(16, 8) == (4, 2)
    ids = model.encode(IMAGES)
    assert ids.dtype == torch.int64
    assert ids.shape == (2, 4, 2)
    assert model.decode(ids).shape == IMAGES.shape
    with pytest.raises(ValueError, match=r"images of 18x8: .* multiples of 4"):
        model.grid(18, 8)


def test_ids_are_found_in_float32_under_autocast(model):
    latents = model.latents(IMAGES)
    expected = model.nearest(latents)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(model.nearest(latents), expected)


def test_pixels_to_signed_and_back():
    pixels = torch.arange(256, dtype=torch.uint8)
    signed = to_signed(pixels)
    assert (signed[0], signed[-1]) == (-1, 1)
    assert torch.equal(to_uint8(signed), pixels)
    assert to_uint8(torch.tensor([-1.3, 1.2])).tolist() == [0, 255]


def test_loaded_is_what_was_saved(model, folder):
    loaded = load_vqgan(folder)
    assert not loaded.training
    assert not any(weight.requires_grad for weight in loaded.parameters())
    expected = model.state_dict()
    assert loaded.state_dict().keys() == expected.keys()
    assert all(torch.equal(value, expected[name]) for name, value in loaded.state_dict().items())


def test_the_encoder_side_needs_no_decoder(model, folder):
    fingerprint = vqgan_fingerprint(folder)
    (folder / "decoder.safetensors").unlink()
    loaded = load_vqgan(folder, decoder=False)
    assert not hasattr(loaded, "decoder")
    assert torch.equal(loaded.encode(IMAGES), model.encode(IMAGES))
    assert vqgan_fingerprint(folder) == fingerprint
    with pytest.raises(ValueError, match=r"decoder\.safetensors: cannot be read .* fit_vqgan"):
        load_vqgan(folder)


def test_loading_draws_no_random_number(folder):
    torch.manual_seed(5)
    before = torch.get_rng_state()
    load_vqgan(folder)
    assert torch.equal(torch.get_rng_state(), before)


def test_fingerprint_follows_config_and_encoder_alone(folder):
    original = vqgan_fingerprint(folder)
    decoder = load_file(folder / "decoder.safetensors")
    decoder["post_quant_conv.bias"] += 1
    save_file(decoder, folder / "decoder.safetensors")
    assert vqgan_fingerprint(folder) == original
    encoder = load_file(folder / "encoder.safetensors")
    encoder["quantize.embedding.weight"][0, 0] += 1
    save_file(encoder, folder / "encoder.safetensors")
    other = vqgan_fingerprint(folder)
    assert other != original
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"attention_resolutions": []}))
    assert vqgan_fingerprint(folder) not in (original, other)


def test_files_of_two_models_are_refused(folder):
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"codes": 32}))
    with pytest.raises(ValueError, match=r"embedding\.weight' has shape \[16, 4\] .* \[32, 4\]"):
        load_vqgan(folder)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("{", r"config\.json: .*JSON"),
        ("{}", r"config\.json: codes: missing"),
        (json.dumps(SIZES.model_dump() | {"codes": 10**9}), r"config\.json: codes: "),
        (json.dumps(SIZES.model_dump() | {"width": 3}), r"config\.json: width: "),
        (json.dumps(SIZES.model_dump() | {"multipliers": []}), r"config\.json: .*one level"),
    ],
)
def test_a_spoilt_config_is_one_line(folder, content, expected):
    (folder / "config.json").write_text(content)
    for read in (load_vqgan, vqgan_fingerprint):
        with pytest.raises(ValueError, match=expected) as caught:
            read(folder)
        assert "\n" not in str(caught.value)


def test_truncated_weights_are_one_line(folder):
    path = folder / "encoder.safetensors"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(ValueError, match=r"encoder\.safetensors: cannot be read"):
        load_vqgan(folder)


def test_an_empty_folder_is_no_vqgan(tmp_path):
    for read in (load_vqgan, vqgan_fingerprint):
        with pytest.raises(ValueError, match=r"config\.json: cannot be read .*dvc repro"):
            read(tmp_path)
