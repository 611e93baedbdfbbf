"""A trained model's folder from a stranger: one line for what is wrong, nothing read elsewhere."""

import copy
import json
import os
import random
import shutil
import socket

import pytest
import sections
import torch
from safetensors.torch import load_file, save_file
from tiny_trained import save_untrained

import ubg
from ubg.params import load_params

CAPTIONS = ["a man in a red coat and blue jeans", "a woman in a green dress", "a boy in a blue cap"]
VARIANTS = int(os.environ.get("UBG_HOSTILE", "20"))
SPOILT = (
    None,
    [],
    {},
    [[]],
    "",
    "x" * 10**4,
    -1,
    0,
    1.5,
    10**6,
    10**12,
    10**40,
    True,
    "/etc/passwd",
)


@pytest.fixture(
    scope="module",
    params=["irra", "phase1", "phase2", "phase3", "phase4", "clip_mer", "t2i_reid"],
)
def trained(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("models") / request.param
    scale = load_params().preset.model_copy(update={"image": sections.image(height=64, width=32)})
    save_untrained(request.param, folder, scale, CAPTIONS * 4)
    return folder


@pytest.fixture
def folder(trained, tmp_path, monkeypatch):
    """A copy of it, with the network out of reach."""

    def refuse(*arguments, **options):
        raise AssertionError(f"looks at the network: {arguments}")

    for name in ("connect", "connect_ex"):
        monkeypatch.setattr(socket.socket, name, refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    return shutil.copytree(trained, tmp_path / "model")


def change(folder, **places):
    """Set entries of the config by dotted keys."""
    config = json.loads((folder / "config.json").read_text())
    for key, value in places.items():
        *way, last = key.split("__")
        inner = config
        for step in way:
            inner = inner[step]
        inner[last] = value
    (folder / "config.json").write_text(json.dumps(config))


def refusal(folder) -> str:
    with pytest.raises(ValueError, match=r".+") as caught:
        ubg.load(folder, device="cpu")
    told = str(caught.value)
    assert "\n" not in told
    assert len(told) < 1000
    return told


def test_a_config_without_towers_is_refused_and_no_name_looked_up(folder):
    config = json.loads((folder / "config.json").read_text())
    for name, tower in config["network"].items():
        if isinstance(tower, dict) and "pretrained" in tower:
            for source in ("someone/repo", "/etc/passwd", "hf-hub:someone/repo"):
                for towers in ({}, {"text": config["towers"]["text"]}, {"a": {}, "b": {}}):
                    change(folder, **{f"network__{name}__pretrained": source}, towers=towers)
                    assert "towers: must be vision and text" in refusal(folder)


@pytest.mark.parametrize("tower", ["vision", "text"])
@pytest.mark.parametrize(
    ("key", "value", "told"),
    [
        ("attn_implementation", "someone/kernel", "asks for code"),
        ("_attn_implementation", "someone/kernel", "asks for code"),
        ("auto_map", {"AutoModel": "someone/repo--code.Model"}, "asks for code"),
        ("model_type", "llama", "is none of"),
        ("model_type", None, "is none of"),
        ("num_hidden_layers", 10**6, "is out of range"),
        ("num_layers", 10**6, "is out of range"),
        ("hidden_size", 2**21, "is out of range"),
        ("vocab_size", 2**30, "is out of range"),
        ("hidden_act", "x" * 300, "has 300 characters"),
    ],
)
def test_towers_are_described_by_sizes_in_bounds_alone(folder, tower, key, value, told):
    change(folder, **{f"towers__{tower}__{key}": value})
    message = refusal(folder)
    assert f"towers.{tower}.{key}" in message
    assert told in message


def test_sizes_are_compared_with_the_weights_before_they_are_built(folder, monkeypatch):
    """Nothing but the meta device is asked for these; they are within the bounds."""
    key = "hidden_size" if "irra" in str(folder) else "intermediate_size"
    change(folder, **{f"towers__vision__{key}": 2**17, "towers__vision__num_attention_heads": 1})
    built = []
    initialise = torch.nn.Linear.__init__

    def watch(self, *arguments, **options):
        initialise(self, *arguments, **options)
        built.append(self.weight.device.type)

    monkeypatch.setattr(torch.nn.Linear, "__init__", watch)
    assert "does not fit the model" in refusal(folder)
    assert set(built) == {"meta"}


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_not_finite_are_refused(folder, value):
    weights = load_file(folder / "model.safetensors")
    name = sorted(name for name in weights if weights[name].is_floating_point())[3]
    weights[name].view(-1)[-1] = value
    save_file(weights, folder / "model.safetensors")
    assert f"weight {name!r} is not finite" in refusal(folder)


@pytest.mark.parametrize("file", ["config.json", "model.safetensors"])
def test_named_pipes_and_devices_are_not_opened(folder, file):
    (folder / file).unlink()
    os.mkfifo(folder / file)
    assert "is not a file" in refusal(folder)
    (folder / file).unlink()
    (folder / file).symlink_to("/dev/zero")
    assert "is not a file" in refusal(folder)


def test_configs_with_spoilt_entries_are_loaded_or_refused_in_one_line(folder):
    original = json.loads((folder / "config.json").read_text())
    draw = random.Random(folder.parts[-3])
    for _ in range(VARIANTS):
        config = copy.deepcopy(original)
        inner, way = config, []
        while True:
            name = draw.choice(sorted(inner))
            way.append(name)
            if not (isinstance(inner[name], dict) and inner[name] and draw.random() < 0.9):
                break
            inner = inner[name]
        if draw.random() < 0.2:
            del inner[name]
        else:
            inner[name] = draw.choice(SPOILT)
        (folder / "config.json").write_text(json.dumps(config))
        told = ""
        try:
            ubg.load(folder, device="cpu")
        except ValueError as error:
            told = str(error)
        assert "\n" not in told, way
        assert len(told) < 1000, way
