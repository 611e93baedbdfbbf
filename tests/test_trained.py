"""A trained model is read from its folder, or what is wrong with the folder is said."""

import json
import subprocess
import sys

import pytest
from tiny_trained import save_small

import ubg
from ubg.data.text.unigram import fit_tokenizer
from ubg.runtime.files import write_json


@pytest.fixture(scope="module", params=["irra", "phase1", "phase2", "phase4"])
def trained(request, tmp_path_factory):
    return save_small(request.param, tmp_path_factory.mktemp("models") / request.param)


def test_folder_without_a_model_and_weights_that_do_not_fit(trained, tmp_path):
    with pytest.raises(ValueError, match="is no trained model"):
        ubg.load(tmp_path)
    folder, *_ = trained
    config = json.loads((folder / "config.json").read_text())
    config["network"]["embedding_dim"] = 64
    write_json(tmp_path / "config.json", config)
    (tmp_path / "tokenizer").symlink_to(folder / "tokenizer")
    with pytest.raises(ValueError, match=r"model\.safetensors: is missing; "):
        ubg.load(tmp_path)
    (tmp_path / "model.safetensors").symlink_to(folder / "model.safetensors")
    with pytest.raises(ValueError, match=r"model\.safetensors: does not fit the model"):
        ubg.load(tmp_path)


def test_loading_imports_no_training_code(trained):
    code = f"""
import sys, ubg
ubg.load({str(trained[0])!r}, device="cpu")
print(*(name for name in sys.modules if name.startswith(("ubg.training", "ubg.plan"))))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


@pytest.mark.parametrize(
    "change",
    [
        {"system": "phase99"},
        {"system": ["irra"]},
        {"network": None},
        {"towers": 3},
        {"vocab_size": "many"},
    ],
)
def test_a_config_of_another_version_is_named(trained, tmp_path, change):
    folder, *_ = trained
    config = json.loads((folder / "config.json").read_text())
    write_json(tmp_path / "config.json", config | change)
    (tmp_path / "tokenizer").symlink_to(folder / "tokenizer")
    with pytest.raises(ValueError, match=r"^\S*config\.json: .*train it again with `dvc repro`$"):
        ubg.load(tmp_path)


@pytest.mark.parametrize("missing", ["system", "network", "vocab_size", "towers"])
def test_a_config_without_a_key_is_named(trained, tmp_path, missing):
    """As those of other folders of `models/`."""
    folder, *_ = trained
    config = json.loads((folder / "config.json").read_text())
    del config[missing]
    write_json(tmp_path / "config.json", config)
    with pytest.raises(
        ValueError, match=rf"^\S*config\.json: {missing}: missing; the folder is no"
    ):
        ubg.load(tmp_path)


@pytest.mark.parametrize("content", ["[]", "7", "{", "[" * 100_000])
def test_a_config_that_is_none_is_named(tmp_path, content):
    (tmp_path / "config.json").write_text(content)
    with pytest.raises(ValueError, match=r"is no trained model: config\.json cannot") as caught:
        ubg.load(tmp_path)
    assert "\n" not in str(caught.value)


def test_a_tokenizer_that_is_missing_or_of_another_model_is_named(trained, tmp_path):
    folder, *_ = trained
    (tmp_path / "config.json").symlink_to(folder / "config.json")
    with pytest.raises(ValueError, match=r"tokenizer' cannot be loaded: there is no such folder"):
        ubg.load(tmp_path)
    (tmp_path / "tokenizer").mkdir()
    with pytest.raises(ValueError, match=r"tokenizer' has no vocabulary: neither tokenizer\.json"):
        ubg.load(tmp_path)
    fit_tokenizer(["red"] * 3, 40, tmp_path / "tokenizer")
    with pytest.raises(ValueError, match=r"tokenizer: has \d+ tokens, and the model knows"):
        ubg.load(tmp_path)
