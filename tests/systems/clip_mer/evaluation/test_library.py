"""A saved model is asked by text and pictures."""

import numpy as np
import pytest
import torch
from PIL import Image
from tiny_clip_mer import save_clip_mer
from tiny_models import HEIGHT, WIDTH

import ubg
from ubg.data.text.tokenizers import clip_tokenizer

CAPTIONS = ["a man in a red coat", "a woman in a green dress and a hat"]


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """The model, and where it was saved."""
    folder = tmp_path_factory.mktemp("models")
    return save_clip_mer(folder), folder


@pytest.fixture
def paths(tmp_path):
    shape = (len(CAPTIONS), HEIGHT, WIDTH, 3)
    pixels = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    found = [tmp_path / f"{number}.png" for number in range(len(CAPTIONS))]
    for path, picture in zip(found, pixels, strict=True):
        Image.fromarray(picture).save(path)
    return found


def test_text_and_sketch_are_fused(saved, paths):
    model, folder = saved
    loaded = ubg.load(folder, device="cpu")
    found = loaded.encode_query({"text": CAPTIONS, "sk": paths})
    encoded = clip_tokenizer()(CAPTIONS, padding=True, return_tensors="pt")
    text = {"caption_ids": encoded["input_ids"], "caption_attn_mask": encoded["attention_mask"]}
    grey = np.stack([np.asarray(Image.open(path).convert("L")) for path in paths])
    normalisation = model.normalisations["sk"]
    sketches = (torch.tensor(grey)[:, None] / 255 - normalisation.mean[0]) / normalisation.std[0]
    with torch.inference_mode():
        expected = model.encode_query({"text": text, "sk": {"images": sketches}})
        alone = model.encode_text(text)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-4)
    assert (found - alone).abs().max() > 1e-3
    torch.testing.assert_close(found.norm(dim=1), torch.ones(len(CAPTIONS)))
    turned = loaded.encode_query({"sk": paths, "text": CAPTIONS}, batch_size=1)
    torch.testing.assert_close(turned, found)
    torch.testing.assert_close(loaded.encode_text(CAPTIONS), alone)


def test_gallery_images_are_no_part_of_a_query(saved, paths):
    with pytest.raises(ValueError, match=r"^this model is asked by text, nir, cp, sk, not by vis$"):
        ubg.load(saved[1], device="cpu").encode_query({"vis": paths})
