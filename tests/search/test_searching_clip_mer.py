"""The command line over a small CLIP-MER, which is asked by text and pictures together."""

import json
import sys

import numpy as np
import pytest
from PIL import Image
from tiny_clip_mer import save_clip_mer
from tiny_gallery import draw_folder

import ubg
from ubg.search.command import main
from ubg.search.gallery import Gallery


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A gallery of twelve images, and the model that it was made with."""
    folder = tmp_path_factory.mktemp("place")
    save_clip_mer(folder / "model")
    draw_folder(folder / "imgs", 12)
    with pytest.MonkeyPatch.context() as patch:
        words = ["ubg", "index", folder / "imgs", "--model", folder / "model"]
        patch.setattr(sys, "argv", [*map(str, words), "--gallery", str(folder / "gallery")])
        main()
    return folder


def found(place, monkeypatch, capsys, *arguments):
    words = ["ubg", "search", place / "gallery", *arguments, "--json", "--top", 12]
    monkeypatch.setattr(sys, "argv", [*map(str, words)])
    main()
    return [
        (match["id"], match["score"]) for match in json.loads(capsys.readouterr().out)["results"]
    ]


def test_drawings_are_read_together_and_photographs_are_added(place, monkeypatch, capsys):
    gallery, model = Gallery.open(place / "gallery"), ubg.load(place / "model", device="cpu")
    kinds = {"sk": "--sketch", "nir": "--infrared", "cp": "--colour-pencil"}
    files = dict(zip(kinds, sorted((place / "imgs").rglob("*.png")), strict=False))
    pictures = {kind: [Image.open(file)] for kind, file in files.items()}
    photograph = model.encode_image(pictures["sk"]).numpy()[0]
    text = {"text": ["a hat"]}
    pencil = {"cp": pictures["cp"]}
    for arguments, vector in (
        ([kinds["cp"], files["cp"]], model.encode_query(pencil).numpy()[0]),
        (["a hat", kinds["cp"], files["cp"]], model.encode_query(pencil | text).numpy()[0]),
        (
            ["a hat", *[word for kind in kinds for word in (kinds[kind], files[kind])]],
            model.encode_query(pictures | text).numpy()[0],
        ),
        (["--image", files["sk"]], photograph),
        (["a hat", "--image", files["sk"]], model.encode_text(["a hat"]).numpy()[0] + photograph),
    ):
        results = found(place, monkeypatch, capsys, *arguments)
        rows = np.searchsorted(gallery.snapshot.ids_N, [id for id, _ in results])
        unit_D = vector / np.linalg.norm(vector)
        expected_N = gallery.snapshot.vectors_ND @ unit_D
        scores = [score for _, score in results]
        np.testing.assert_allclose(scores, expected_N[rows], atol=1e-5)
        np.testing.assert_allclose(scores, np.sort(expected_N)[::-1], atol=1e-5)
