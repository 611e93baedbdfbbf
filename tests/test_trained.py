"""`ubg.load` gives back the model that was saved, and its embeddings."""

import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import sections
import torch
from PIL import Image as PillowImage
from tiny_trained import ToyScore, save_untrained

import ubg
from ubg.params import load_params
from ubg.runtime.files import write_json
from ubg.systems import system_named
from ubg.systems.contract import cosine_alone

CAPTIONS = ["a man in a red coat and blue jeans", "a woman in a green dress", "a boy in a blue cap"]


@pytest.fixture(scope="module", params=["irra", "phase1", "phase2", "phase4"])
def trained(request, tmp_path_factory):
    """A saved model of random weights, and the model itself."""
    folder = tmp_path_factory.mktemp("models") / request.param
    scale = load_params().preset.model_copy(update={"image": sections.image(height=64, width=32)})
    return folder, *save_untrained(request.param, folder, scale, CAPTIONS * 4)


def test_text_embeddings_are_the_models_and_of_unit_length(trained):
    folder, model, tokenizer = trained
    found = ubg.load(folder, device="cpu").encode_text(CAPTIONS)
    encoded = tokenizer(CAPTIONS, padding=True, return_tensors="pt")
    names = ("caption_ids", "caption_attn_mask")
    fields = names if folder.name == "irra" else [f"{name}_t5" for name in names]
    with torch.inference_mode():
        expected = model.encode_text(
            dict(zip(fields, (encoded["input_ids"], encoded["attention_mask"]), strict=True))
        )
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(found.norm(dim=1), torch.ones(3))


def test_image_embeddings_are_the_models_from_paths_and_pictures(trained, tmp_path):
    folder, model, _ = trained
    pixels = np.random.default_rng(0).integers(0, 256, (64, 32, 3), dtype=np.uint8)
    PillowImage.fromarray(pixels).save(tmp_path / "crop.png")
    loaded = ubg.load(folder, device="cpu")
    from_path = loaded.encode_image([tmp_path / "crop.png"])
    from_picture = loaded.encode_image([PillowImage.fromarray(pixels)])
    mean, std = torch.tensor(model.normalisation.mean), torch.tensor(model.normalisation.std)
    images = ((torch.from_numpy(pixels) / 255 - mean) / std).permute(2, 0, 1)[None]
    with torch.inference_mode():
        expected = model.encode_image(images)
    torch.testing.assert_close(from_path, expected, atol=1e-5, rtol=1e-4)
    assert torch.equal(from_path, from_picture)


def test_a_bare_string_is_refused(trained):
    loaded = ubg.load(trained[0], device="cpu")
    with pytest.raises(ValueError, match="takes a list of captions"):
        loaded.encode_text("a man")
    with pytest.raises(ValueError, match="takes a list of images"):
        loaded.encode_image("crop.png")


def test_unreadable_image_is_named(trained, tmp_path):
    (tmp_path / "broken.jpg").write_bytes(b"no image")
    with pytest.raises(ValueError, match=r"broken\.jpg"):
        ubg.load(trained[0], device="cpu").encode_image([tmp_path / "broken.jpg"])


def test_folder_without_a_model_and_weights_that_do_not_fit(trained, tmp_path):
    with pytest.raises(ValueError, match="is no trained model"):
        ubg.load(tmp_path)
    folder, *_ = trained
    config = json.loads((folder / "config.json").read_text())
    config["network"]["embedding_dim"] = 64
    write_json(tmp_path / "config.json", config)
    (tmp_path / "tokenizer").symlink_to(folder / "tokenizer")
    (tmp_path / "model.safetensors").symlink_to(folder / "model.safetensors")
    with pytest.raises(ValueError, match=r"model\.safetensors: does not fit the model"):
        ubg.load(tmp_path)


def test_import_of_the_package_is_light_and_offers_the_interface():
    assert callable(ubg.retrieval.metrics.retrieval_metrics)
    assert callable(ubg.losses.sdm_loss)
    assert callable(ubg.data.annotations.read_annotations)
    alone = "import ubg; ubg.data.annotations.read_annotations; ubg.losses.sdm_loss"
    subprocess.run([sys.executable, "-c", alone], check=True)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = ubg.nothing


def test_loading_imports_no_training_code(trained):
    code = f"""
import sys, ubg
ubg.load({str(trained[0])!r}, device="cpu")
print(*(name for name in sys.modules if name.startswith(("ubg.training", "ubg.plan"))))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def test_a_query_is_asked_by_text_alone(trained):
    loaded = ubg.load(trained[0], device="cpu")
    queried, encoded = loaded.encode_query({"text": CAPTIONS}), loaded.encode_text(CAPTIONS)
    assert torch.equal(queried, encoded)
    with pytest.raises(ValueError, match="is asked by text alone, not by sketch"):
        loaded.encode_query({"sketch": CAPTIONS})
    with pytest.raises(ValueError, match="takes a list of captions"):
        loaded.encode_query({"text": "a man"})


@pytest.mark.parametrize("change", [[], {"system": "phase99"}, {"network": None}])
def test_a_config_of_another_version_is_named(trained, tmp_path, change):
    folder, *_ = trained
    config = json.loads((folder / "config.json").read_text())
    write_json(tmp_path / "config.json", config | change if change else change)
    (tmp_path / "tokenizer").symlink_to(folder / "tokenizer")
    with pytest.raises(ValueError, match=r"^\S*config\.json: .*train it again with `dvc repro`$"):
        ubg.load(tmp_path)


@pytest.fixture
def both(trained, monkeypatch):
    """The model with a second score."""
    folder, *_ = trained

    def code_score(trained_model, given_folder):
        assert given_folder == folder
        return ToyScore()

    declared = replace(system_named(folder.name), code_score=code_score)
    monkeypatch.setattr(f"ubg.systems.{folder.name}.system.SYSTEM", declared)
    return ubg.load(folder, device="cpu", both_scores=True)


def pictures(count):
    pixels = np.random.default_rng(0).integers(0, 256, (count, 96, 32, 3), dtype=np.uint8)
    for picture in pixels:
        picture[:48] //= 2
    return [PillowImage.fromarray(picture) for picture in pixels]


def test_both_scores_are_the_cosine_and_the_evidence_at_the_codes(both, tmp_path):
    images = pictures(4)
    images[3].save(tmp_path / "last.png")
    shown = [*images[:3], str(tmp_path / "last.png")]
    evidence_NLV, codes_ML = both.caption_evidence(CAPTIONS), both.image_codes(shown)
    assert evidence_NLV.shape == (3, 8, 5)
    assert codes_ML.shape == (4, 8)
    expected = both.encode_text(CAPTIONS) @ both.encode_image(shown).T
    for place in range(8):
        expected += evidence_NLV[:, place][:, codes_ML[:, place]]
    torch.testing.assert_close(both.score(CAPTIONS, shown), expected)


def test_both_scores_take_lists_alone(both):
    with pytest.raises(ValueError, match="takes a list of captions"):
        both.score("a man", pictures(1))
    with pytest.raises(ValueError, match="takes a list of captions"):
        both.caption_evidence("a man")
    with pytest.raises(ValueError, match="takes a list of images"):
        both.image_codes("crop.png")


def test_a_second_score_is_not_read_unless_asked_for(trained, monkeypatch):
    folder, *_ = trained

    def code_score(trained_model, given_folder):
        raise AssertionError("nobody asked for it")

    declared = replace(system_named(folder.name), code_score=code_score)
    monkeypatch.setattr(f"ubg.systems.{folder.name}.system.SYSTEM", declared)
    assert len(ubg.load(folder, device="cpu").encode_text(CAPTIONS)) == 3


def test_a_second_score_must_be_there_and_be_asked_for(trained):
    folder = trained[0]
    alone = ubg.load(folder, device="cpu")
    with pytest.raises(ValueError, match="the second score was not loaded"):
        alone.score(CAPTIONS, pictures(1))
    if system_named(folder.name).code_score is cosine_alone:
        with pytest.raises(ValueError, match=f"^{folder.name} has one score alone; "):
            ubg.load(folder, device="cpu", both_scores=True)
