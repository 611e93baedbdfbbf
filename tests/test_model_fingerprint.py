"""The fingerprint of a model: galleries and calibrations that exist keep it."""

import pytest
from tiny_trained import save_small

from ubg.model_fingerprint import codes_fingerprint, model_fingerprint
from ubg.params import load_params
from ubg.systems.phase4 import folder as phase4


@pytest.fixture
def model(tmp_path):
    files = {
        "model/model.safetensors": "weights",
        "model/config.json": "{}",
        "model/tokenizer/spiece.model": "pieces",
        "model_generator/config.json": "{}",
        "model_generator/generator.safetensors": "decoder",
        "model_generator/vqgan/config.json": "{}",
        "model_generator/vqgan/encoder.safetensors": "encoder",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path / "model"


def test_fingerprints_are_those_of_galleries_that_exist(model):
    assert model_fingerprint(model) == "634a346f81494139"
    assert codes_fingerprint(model) == "6060f7e8acda7a71"


@pytest.mark.parametrize(
    "name", ["last.safetensors", ".gitignore", "README.md", "tokenizer/README.md", "curves/a.png"]
)
def test_what_retrieval_does_not_read_has_no_part_in_it(model, name):
    beside = model.with_name("model_generator")
    before = model_fingerprint(model), codes_fingerprint(model)
    for folder in (model, beside):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text("of no use to it")
    assert (model_fingerprint(model), codes_fingerprint(model)) == before


@pytest.mark.parametrize("system", ["irra", "phase3"])
def test_each_file_that_is_written_has_a_part_in_it(tmp_path, system):
    folder, *_ = save_small(system, tmp_path / "model")
    changes_with_each(folder, lambda: model_fingerprint(folder))


def test_each_file_of_a_second_score_has_a_part_in_it(tmp_path, monkeypatch):
    vqgan, best = tmp_path / "vqgan", tmp_path / "best"
    for path in (vqgan / phase4.CONFIG, vqgan / phase4.ENCODER, best / phase4.WEIGHTS):
        path.parent.mkdir(exist_ok=True)
        path.write_text("{}")
    monkeypatch.setattr(phase4, "VQGAN_FOLDER", vqgan)
    monkeypatch.setattr(phase4, "vqgan_fingerprint", lambda folder: "of it")
    monkeypatch.setattr(phase4, "GENERATOR", tmp_path / "model_generator")
    generation = load_params().generation.model_copy(update={"condition": "text"})
    phase4.write_generator(generation, {"codes": 4}, best)
    changes_with_each(phase4.GENERATOR, lambda: codes_fingerprint(tmp_path / "model"))


def changes_with_each(folder, taken):
    found = {taken()}
    paths = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    assert len(paths) > 3
    for path in paths:
        path.write_bytes(path.read_bytes() + b" ")
        found.add(taken())
    assert len(found) == len(paths) + 1


def test_a_folder_of_something_else_is_named_without_a_look_at_its_files(tmp_path, monkeypatch):
    (tmp_path / "large.bin").write_text("x")
    monkeypatch.setattr("ubg.model_fingerprint.file_fingerprint", None)
    with pytest.raises(ValueError, match=r": holds no trained model, as config\.json is not there"):
        model_fingerprint(tmp_path)
    with pytest.raises(ValueError, match=r"nowhere: holds no trained model"):
        model_fingerprint(tmp_path / "nowhere")
    with pytest.raises(ValueError, match=r"nowhere_generator: holds no second score"):
        codes_fingerprint(tmp_path / "nowhere")
