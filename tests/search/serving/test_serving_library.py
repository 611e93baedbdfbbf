"""A server goes on when the gallery's files are written anew below it."""

import logging

import pytest
from tiny_gallery import Stub, draw_folder, draw_picture, save_model

import ubg
from ubg.search import tidying
from ubg.search.accelerating import build_file, find_file
from ubg.search.gallery import Gallery
from ubg.search.indexing import Request, index
from ubg.search.query import Query
from ubg.search.searcher import Searcher
from ubg.search.serving.library import BACK, GONE, Broken, Library


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A gallery of twelve images with a file for approximate search, and its model."""
    pytest.importorskip("faiss")
    monkeypatch.setattr(ubg, "load", Stub)
    monkeypatch.setattr(tidying, "SPARE_ROWS", 3)
    draw_folder(tmp_path / "imgs", 12)
    index(tmp_path / "gallery", Request([tmp_path / "imgs"], save_model(tmp_path)))
    build_file(Gallery.open(tmp_path / "gallery"), 1)
    return tmp_path


@pytest.fixture
def loads(place, monkeypatch):
    """A list that has an item for each time that the model was loaded."""
    loads = []
    monkeypatch.setattr(ubg, "load", lambda *_, **options: loads.append(options) or Stub())
    return loads


def library_of(place):
    return Library(lambda: Searcher(Gallery.open(place / "gallery")), find_file)


def found(searcher):
    (results,) = searcher.search(searcher.encode([Query.parse("a hat")]))
    return [(result.entry.path, result.score) for result in results.results]


def tidied(place):
    for path in sorted((place / "imgs").rglob("*.png"))[:8]:
        path.unlink()
    index(place / "gallery", Request([]))
    assert not list((place / "gallery").glob("index.*"))


def test_a_tidying_takes_the_engine_until_its_file_is_made_again(place, loads, caplog):
    caplog.set_level(logging.WARNING, "ubg.search")
    library = library_of(place)
    before = library.current()
    assert not before.is_exact
    tidied(place)
    assert library.current().is_exact
    assert len(found(library.current())) == 4
    assert found(library.current()) == found(Searcher(Gallery.open(place / "gallery")))
    assert caplog.messages == [GONE], "said once, however often it is asked"
    build_file(Gallery.open(place / "gallery"), 1)
    after = library.current()
    assert not after.is_exact
    assert len(found(after)) == 4
    assert library.current() is after
    assert caplog.messages == [GONE, BACK]
    assert after.model is before.model
    assert len(loads) == 2, "once by the library, once above"


def test_an_engine_is_opened_again_when_images_came(place, loads):
    library = library_of(place)
    first = library.current()
    draw_picture(place / "imgs/cam0/new.png", 99)
    index(place / "gallery", Request([]))
    after = library.current()
    assert not first.is_exact
    assert not after.is_exact
    assert (len(found(first)), len(found(after))) == (12, 13)
    assert len(loads) == 2, "once by the library, once by the indexing"


def test_a_damaged_file_is_told(place):
    library = library_of(place)
    library.current()
    tidied(place)
    (place / "gallery/index.1.faiss").write_bytes(b"nothing" * 99)
    with pytest.raises(Broken, match=r"index\.1\.faiss: is damaged"):
        library.current()
    (place / "gallery/index.1.faiss").unlink()
    assert library.current().is_exact
