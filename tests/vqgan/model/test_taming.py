"""Checkpoints in the published form, small; and files that must be refused without running them."""

import re
import sys
import types
from pathlib import Path

import pytest
import torch
import yaml

from ubg.vqgan.model.architecture import Architecture
from ubg.vqgan.model.taming import load_published, read_config
from ubg.vqgan.model.vqgan import VQGAN


def published_yaml(codes=64, code_dim=8):
    """The yaml of the ImageNet f16 checkpoints, scaled down."""
    return {
        "model": {
            "base_learning_rate": 4.5e-06,
            "target": "taming.models.vqgan.VQModel",
            "params": {
                "embed_dim": code_dim,
                "n_embed": codes,
                "monitor": "val/rec_loss",
                "ddconfig": {
                    "double_z": False,
                    "z_channels": code_dim,
                    "resolution": 64,
                    "in_channels": 3,
                    "out_ch": 3,
                    "ch": 32,
                    "ch_mult": [1, 1, 2],
                    "num_res_blocks": 1,
                    "attn_resolutions": [16],
                    "dropout": 0.0,
                },
                "lossconfig": {"target": "taming.modules.losses.vqperceptual.DummyLoss"},
            },
        }
    }


def weights_of(codes=64, code_dim=8):
    torch.manual_seed(codes)
    architecture = Architecture(
        codes=codes,
        code_dim=code_dim,
        latent_channels=code_dim,
        channels=32,
        multipliers=(1, 1, 2),
        blocks=1,
        attention_resolutions=(16,),
        resolution=64,
    )
    return VQGAN(architecture).state_dict()


def with_objective(weights):
    return weights | {
        "loss.perceptual_loss.lin0.model.1.weight": torch.zeros(1, 64, 1, 1),
        "loss.discriminator.main.0.weight": torch.zeros(64, 3, 4, 4),
    }


def write(folder: Path, content, config) -> tuple[Path, Path]:
    checkpoint, described = folder / "last.ckpt", folder / "model.yaml"
    torch.save(content, checkpoint)
    described.write_text(yaml.safe_dump(config))
    return checkpoint, described


LIGHTNING = (
    "pytorch_lightning",
    "pytorch_lightning.callbacks",
    "pytorch_lightning.callbacks.model_checkpoint",
)


def lightning(weights):
    """What Lightning 1.0 wrote around the weights, its callback class as a key included."""
    callback = type("ModelCheckpoint", (), {"__module__": LIGHTNING[-1]})
    for name in LIGHTNING:
        sys.modules[name] = types.ModuleType(name)
    sys.modules[LIGHTNING[-1]].ModelCheckpoint = callback
    return {
        "epoch": 7,
        "global_step": 1234,
        "pytorch-lightning_version": "1.0.8",
        "callbacks": {callback: {"best_model_score": torch.tensor(0.5), "best_model_path": "x"}},
        "optimizer_states": [],
        "lr_schedulers": [],
        "state_dict": weights,
    }


@pytest.fixture
def lightning_modules():
    """Lightning itself is absent: its modules exist only while the checkpoint is written."""
    yield
    for name in LIGHTNING:
        sys.modules.pop(name, None)


# 1024 and 16384 codes of 256 numbers, at a sixteenth of the length and the number.
@pytest.mark.parametrize(("codes", "code_dim"), [(64, 16), (1024, 16)])
@pytest.mark.parametrize("wrapped", [True, False], ids=["lightning", "bare"])
def test_weights_arrive_unchanged(tmp_path, lightning_modules, codes, code_dim, wrapped):
    weights = weights_of(codes, code_dim)
    content = with_objective(weights)
    content = lightning(content) if wrapped else content
    checkpoint, config = write(tmp_path, content, published_yaml(codes, code_dim))
    for name in LIGHTNING:
        sys.modules.pop(name, None)
    model = load_published(checkpoint, config)
    assert not model.training
    loaded = model.state_dict()
    assert loaded.keys() == weights.keys()
    assert all(torch.equal(loaded[name], weights[name]) for name in weights)
    assert model.encode(torch.zeros(1, 3, 32, 16)).shape == (1, 8, 4)


def test_the_genuine_f16_yaml_has_the_published_shapes(tmp_path):
    config = published_yaml(16384, 256)
    config["model"]["params"]["ddconfig"] |= {
        "z_channels": 256,
        "resolution": 256,
        "ch": 128,
        "ch_mult": [1, 1, 2, 2, 4],
        "num_res_blocks": 2,
    }
    (tmp_path / "model.yaml").write_text(yaml.safe_dump(config))
    with torch.device("meta"):
        model = VQGAN(read_config(tmp_path / "model.yaml"))
    shapes = {name: tuple(value.shape) for name, value in model.state_dict().items()}
    assert shapes["quantize.embedding.weight"] == (16384, 256)
    assert shapes["encoder.conv_in.weight"] == (128, 3, 3, 3)
    assert shapes["encoder.down.4.attn.1.proj_out.weight"] == (512, 512, 1, 1)
    assert shapes["encoder.down.2.block.0.nin_shortcut.weight"] == (256, 128, 1, 1)
    assert shapes["encoder.conv_out.weight"] == (256, 512, 3, 3)
    assert shapes["decoder.up.4.attn.2.q.weight"] == (512, 512, 1, 1)
    assert shapes["decoder.conv_out.weight"] == (3, 128, 3, 3)
    assert shapes["quant_conv.weight"] == shapes["post_quant_conv.weight"] == (256, 256, 1, 1)
    assert model.grid(384, 128) == (24, 8)


def refused(checkpoint, config) -> str:
    with pytest.raises(ValueError) as caught:  # noqa: PT011 -- what it says is the caller's matter
        load_published(checkpoint, config)
    message = str(caught.value)
    assert "\n" not in message
    assert len(message) < 700
    return message


def test_a_missing_weight_is_named(tmp_path):
    weights = weights_of()
    del weights["decoder.mid.attn_1.q.bias"]
    message = refused(*write(tmp_path, {"state_dict": weights}, published_yaml()))
    assert "weight 'decoder.mid.attn_1.q.bias' is missing" in message


def test_an_unexpected_weight_is_named(tmp_path):
    weights = weights_of() | {"quantize.proj.weight": torch.zeros(1)}
    message = refused(*write(tmp_path, {"state_dict": weights}, published_yaml()))
    assert "weight 'quantize.proj.weight' is unexpected" in message


def test_another_shape_is_named(tmp_path):
    message = refused(*write(tmp_path, weights_of(codes=32), published_yaml(codes=64)))
    assert "'quantize.embedding.weight' has shape [32, 8]" in message
    assert "[64, 8]" in message


class RunsCode:
    """A pickle that would make a file if it were run."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


@pytest.mark.parametrize("place", ["beside", "as a weight"])
def test_pickled_code_is_not_run(tmp_path, place):
    trap = RunsCode(tmp_path / "it ran")
    weights = weights_of()
    content = {"state_dict": weights, "callbacks": trap}
    if place == "as a weight":
        content = {"state_dict": weights | {"encoder.conv_in.weight": trap}}
    message = refused(*write(tmp_path, content, published_yaml()))
    assert "holds pickled objects beside its weights (" in message
    assert re.search(r"weights \([\w.]+\), which are not run", message)
    assert "\x1b" not in message
    assert not (tmp_path / "it ran").exists()


def test_a_truncated_file_is_refused(tmp_path):
    checkpoint, config = write(tmp_path, weights_of(), published_yaml())
    checkpoint.write_bytes(checkpoint.read_bytes()[:-5000])
    assert "last.ckpt: " in refused(checkpoint, config)


@pytest.mark.parametrize("content", [b"", b"not a checkpoint", b"\x80\x02}q\x00."])
def test_what_is_no_checkpoint_is_refused(tmp_path, content):
    checkpoint, config = write(tmp_path, {}, published_yaml())
    checkpoint.write_bytes(content)
    assert str(checkpoint) in refused(checkpoint, config)


@pytest.mark.parametrize("content", [torch.zeros(3), {"state_dict": 3}, {"encoder": {"a": 1}}])
def test_a_file_without_weights_by_name_is_refused(tmp_path, content):
    message = refused(*write(tmp_path, content, published_yaml()))
    assert re.search("holds no weights by name|no weight", message)


@pytest.mark.parametrize(
    ("path", "value", "expected"),
    [
        ("target", "taming.models.vqgan.GumbelVQ", "model.target"),
        ("params.n_embed", 10**9, "sizes.codes"),
        ("params.n_embed", None, "model.params.n_embed"),
        ("params.remap", "remap.npy", "model.params.remap"),
        ("params.ddconfig.ch", 10**6, "sizes.channels"),
        ("params.ddconfig.ch_mult", [1] * 40, "sizes.multipliers"),
        ("params.ddconfig.double_z", True, "model.params.ddconfig.double_z"),
        ("params.ddconfig.resamp_with_conv", False, "ddconfig.resamp_with_conv"),
        ("params.ddconfig", [1, 2], "model.params.ddconfig"),
    ],
)
def test_a_yaml_of_something_else_is_refused(tmp_path, path, value, expected):
    config = published_yaml()
    *parents, key = path.split(".")
    at = config["model"]
    for parent in parents:
        at = at[parent]
    at[key] = value
    assert expected in refused(*write(tmp_path, weights_of(), config))


@pytest.mark.parametrize(
    "text",
    [
        "model: !!python/object/apply:os.system ['touch ran']",
        "model: [",
        "[" * 5000,
        "- a",
        "model:",
        "x: " + "a" * 1_000_000,
    ],
)
def test_a_hostile_yaml_is_refused(tmp_path, text, monkeypatch):
    monkeypatch.chdir(tmp_path)
    checkpoint, config = write(tmp_path, weights_of(), published_yaml())
    config.write_text(text)
    assert "model.yaml: " in refused(checkpoint, config)
    assert not Path("ran").exists()


@pytest.mark.parametrize("missing", ["last.ckpt", "model.yaml"])
def test_a_file_that_is_not_there_is_named(tmp_path, missing):
    checkpoint, config = write(tmp_path, weights_of(), published_yaml())
    (tmp_path / missing).unlink()
    assert missing in refused(checkpoint, config)
