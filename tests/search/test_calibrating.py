"""`ubg calibrate`: best scores of sentences whose person is not there."""

import json
import sys

import numpy as np
import pytest
import sections
from tiny_trained import save_small

import ubg
from ubg.data.annotations.table import read_annotations
from ubg.data.images.pack import pack_images
from ubg.data.prepared import write_table
from ubg.search.command import main
from ubg.search.gallery import Gallery
from ubg.search.searcher import Searcher
from ubg.search.serving.library import Library


@pytest.fixture
def table(cuhk_root, tmp_path, monkeypatch):
    """A model, prepared data and a gallery; the prepared table."""
    save_small("phase2", tmp_path / "model")
    monkeypatch.chdir(tmp_path)
    table = read_annotations("cuhk_pedes", cuhk_root)
    size = sections.image(height=64, width=32)
    pack_images(table, cuhk_root / "imgs", size, tmp_path / "data/images")
    (tmp_path / "data/prepared").mkdir()
    write_table(table, tmp_path / "data/prepared/annotations.csv")
    run(monkeypatch, "index", "cuhk/imgs", "--model", "model", "--gallery", "gallery")
    return table


def run(monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", ["ubg", *arguments])
    main()


def test_each_result_says_how_usual_its_score_is(table, cuhk_root, monkeypatch, capsys):
    server = Library(lambda: Searcher(Gallery.open("gallery")))
    assert server.current().calibration is None
    run(monkeypatch, "calibrate", "gallery", "--data", "data")

    model, rows = ubg.load("model"), table[table["split"] == "val"]
    best = []
    for caption, pid in zip(rows["caption"], rows["pid"], strict=True):
        others = rows.loc[rows["pid"] != pid, "image_path"].unique()
        images = model.encode_image([cuhk_root / "imgs" / path for path in others])
        best.append(float((model.encode_text(caption) @ images.T).max()))
    kept = server.current().calibration  # without a restart
    np.testing.assert_allclose(kept.cosine, sorted(best), atol=1e-5)
    assert kept.images == 4

    capsys.readouterr()
    run(monkeypatch, "search", "gallery", "a man in a red coat", "--json")
    page = json.loads(capsys.readouterr().out)
    for result in page["results"]:
        expected = np.mean([score >= result["score"] for score in kept.cosine])
        assert result["share_without_person"] == pytest.approx(expected, abs=1e-4)
    assert page["nobody_fits"] is (page["results"][0]["share_without_person"] > 0.5)
