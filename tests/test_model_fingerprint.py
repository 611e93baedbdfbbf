"""The fingerprint of a model: galleries and calibrations that exist keep it."""

import pytest

from ubg.model_fingerprint import codes_fingerprint, model_fingerprint


@pytest.fixture
def model(tmp_path):
    files = {
        "model/model.safetensors": "weights",
        "model/config.json": "{}",
        "model/tokenizer/spiece.model": "pieces",
        "model_generator/model.safetensors": "decoder",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path / "model"


def test_fingerprints_are_those_of_galleries_that_exist(model):
    assert model_fingerprint(model) == "634a346f81494139"
    assert codes_fingerprint(model) == "49525aab853e274f"


def test_what_retrieval_does_not_read_has_no_part_in_it(model):
    before = model_fingerprint(model)
    (model / "last.safetensors").write_text("last")
    (model / ".gitignore").write_text("")
    assert model_fingerprint(model) == before
    (model / "tokenizer/spiece.model").write_text("others")
    assert model_fingerprint(model) != before


def test_a_folder_without_files_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"nowhere: has no files"):
        model_fingerprint(tmp_path / "nowhere")
