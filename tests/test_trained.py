"""`ubg.load` gives back the model that was saved, and its embeddings."""

import json
import subprocess
import sys

import numpy as np
import pytest
import sections
import torch
from PIL import Image as PillowImage
from tiny_models import build_model, network_of

import ubg
from ubg.data.text.tokenizers import clip_tokenizer, fit_tokenizer
from ubg.params import load_params
from ubg.runtime.checkpoint import save_weights
from ubg.runtime.files import write_json

CAPTIONS = ["a man in a red coat and blue jeans", "a woman in a green dress", "a boy in a blue cap"]


@pytest.fixture(scope="module", params=["irra", "phase1", "phase2", "phase4"])
def trained(request, tmp_path_factory):
    """A saved model of random weights, and the model itself."""
    folder = tmp_path_factory.mktemp("models") / request.param
    scale = load_params().preset.model_copy(update={"image": sections.image(height=64, width=32)})
    if request.param == "irra":
        tokenizer = clip_tokenizer()
        tokenizer.save_pretrained(folder / "tokenizer")
    else:
        tokenizer = fit_tokenizer(CAPTIONS * 4, 64, folder / "tokenizer")
    torch.manual_seed(0)
    model = build_model(request.param, scale, len(tokenizer)).eval()
    save_weights(folder / "model.safetensors", model)
    write_json(
        folder / "config.json",
        {
            "system": request.param,
            "vocab_size": len(tokenizer),
            "network": network_of(request.param, scale).model_dump(mode="json"),
            "towers": model.tower_configs(),
        },
    )
    return folder, model, tokenizer


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
