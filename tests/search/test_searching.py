"""Queries of all kinds, filters, pages and engines."""

import shutil

import numpy as np
import pytest
from PIL import Image
from tiny_gallery import (
    DIMENSION,
    Stub,
    draw_folder,
    draw_picture,
    gallery_of_twelve,
    save_model,
    scores_of,
)

import ubg
from ubg.calibration import Calibration, calibration_of, write_calibration
from ubg.search import searcher as module
from ubg.search import tidying
from ubg.search.accelerating import build_file, open_file
from ubg.search.calibration import CALIBRATION
from ubg.search.engines.contract import Found
from ubg.search.filters import Filter
from ubg.search.gallery import Gallery
from ubg.search.indexing import Request, index
from ubg.search.query import Query
from ubg.search.searcher import Page, Searcher


@pytest.fixture
def place(tmp_path, monkeypatch):
    return gallery_of_twelve(tmp_path, monkeypatch)


@pytest.fixture
def searcher(place):
    return Searcher(Gallery.open(place / "gallery"))


def find(searcher, query, page=None, filter=None):
    (results,) = searcher.search(searcher.encode([query]), page, filter)
    return results


def check(results, expected):
    assert [result.entry.path for result in results.results] == [path for path, _ in expected]
    found = [result.score for result in results.results]
    np.testing.assert_allclose(found, [score for _, score in expected], atol=1e-6)


def test_a_text_finds_by_cosine_and_pages_join(searcher):
    vector = Stub().encode_text(["a red coat"]).numpy()[0]
    results = find(searcher, Query.parse("a red coat"))
    check(results, scores_of(searcher.gallery, vector))
    assert results.total == 11
    assert [result.rank for result in results.results] == list(range(1, 12))
    pages = [find(searcher, Query.parse("a red coat"), Page(4, offset)) for offset in (0, 4, 8, 12)]
    assert [len(page.results) for page in pages] == [4, 4, 3, 0]
    assert [result for page in pages for result in page.results] == results.results


def test_who_searches_a_state_of_before_is_not_disturbed(place, searcher, monkeypatch):
    monkeypatch.setattr(tidying, "SPARE_ROWS", 3)
    asked = [(Query.parse("a red coat"), None), (Query(like=[2]), Filter.parse(["camera=1"]))]
    expected = [find(searcher, query, filter=wanted) for query, wanted in asked]

    def shorten(count):
        for path in sorted((place / "imgs").rglob("*.png"))[:count]:
            path.unlink()
        index(place / "gallery", Request([]))
        return searcher.reopened().gallery

    after = shorten(8)
    assert (after.snapshot.generation, after.count) == (1, 4)
    found = [find(searcher, query, filter=wanted) for query, wanted in asked]
    for before, now in zip(expected, found, strict=True):
        assert [(r.id, r.entry.path) for r in now.results] == [
            (r.id, r.entry.path) for r in before.results
        ]
    assert not {1, 2} & {r.id for r in find(searcher.reopened(), asked[0][0]).results}
    draw_folder(place / "imgs", 8)
    index(place / "gallery", Request([]))
    assert shorten(8).snapshot.generation == 2
    assert after.entries(after.snapshot.ids_N)  # gone by now, since the last time
    with pytest.raises(ValueError, match="image 1: is not in the gallery"):
        searcher.gallery.entry(1)


def test_parts_are_added_up_by_their_weights(searcher):
    texts = Stub().encode_text(["a red coat", "a hat"]).numpy()
    picture = Image.fromarray(np.random.default_rng(5).integers(0, 256, (16, 8, 3), np.uint8))
    shown = Stub().encode_image([picture]).numpy()[0]
    kept = searcher.gallery.vectors([3])[0]
    sentence = Query.parse("2 * a red coat - 0.5 * a hat")
    assert sentence.texts == (("a red coat", 2.0), ("a hat", -0.5))
    for query, vector in (
        (sentence, 2 * texts[0] - 0.5 * texts[1]),
        (Query(images=[picture]), shown),
        (Query(like=[3]), kept),
        (Query([("a hat", 1)], [picture], [3]), texts[1] + shown + kept),
    ):
        check(find(searcher, query), scores_of(searcher.gallery, vector / np.linalg.norm(vector)))


def test_equal_scores_go_to_the_lower_id(place, searcher):
    content = (place / "imgs/cam1/004.png").read_bytes()
    for name in ("a", "b"):  # the same pixels, other bytes
        (place / f"imgs/{name}.png").write_bytes(content + name.encode())
    index(place / "gallery", Request([]))
    results = find(searcher.reopened(), Query(like=[6])).results
    assert [result.id for result in results[:3]] == [6, 13, 14]
    assert len({result.score for result in results[:3]}) == 1
    assert len(results) == 13


def test_queries_together_give_what_each_gives_alone(searcher):
    queries = [Query.parse("a - b"), Query(like=[2]), Query.parse("c"), Query([("d", 1)], like=[5])]
    together = searcher.encode(queries)
    assert searcher.search(together) == [find(searcher, query) for query in queries]
    assert searcher.search(together[2]) == [find(searcher, queries[2])]


def test_both_scores_add_what_the_text_says_of_the_codes(place):
    searcher = Searcher(Gallery.open(place / "gallery"), both_scores=True)
    cosine = {
        result.id: result.score
        for result in find(Searcher(searcher.gallery), Query.parse("a")).results
    }
    said = Stub().caption_evidence(["a"]).numpy()[0]
    snapshot = searcher.gallery.snapshot
    results = find(searcher, Query.parse("a")).results
    for result in results:
        codes = snapshot.codes_NL[np.searchsorted(snapshot.ids_N, result.id)]
        added = said[np.arange(len(codes)), codes].sum()
        assert result.score == pytest.approx(cosine[result.id] + added, abs=1e-6)
    found = [result.score for result in results]
    assert found == sorted(found, reverse=True)
    ids = [result.id for result in find(searcher, Query(like=[3])).results]
    assert ids == [
        result.id for result in find(Searcher(searcher.gallery), Query(like=[3])).results
    ]


def test_a_filter_lets_pass_what_fits_and_folds_what_is_left(place, searcher):
    def passed(*terms):
        found = find(searcher, Query.parse("a"), filter=Filter.parse(terms)).results
        return sorted(result.entry.path for result in found)

    assert passed("camera=1", "tag=night") == ["cam0/003.png", "cam1/001.png"]
    assert len(passed("camera=1", "camera=0")) == 11
    assert passed("path=cam9/*") == ["cam9/twin.png"]  # its twin does not pass
    assert passed("tag=day") == passed("from=2024") == passed("min_height=21") == []
    assert len(passed("min_height=20")) == 11
    twin = find(searcher, Query.parse("a"), filter=Filter.parse(["path=cam1/004.png"])).results[0]
    assert twin.entry.duplicates == (str(place / "imgs/cam9/twin.png"),)


def test_duplicates_of_the_same_path_are_told_apart_by_their_folder(place):
    for name in ("imgs", "more", "else"):
        draw_picture(place / name / "cam1/same.png", 99)
    index(place / "gallery", Request([place / "more", place / "else"]))
    index(place / "gallery", Request([place / "imgs"]))
    gallery = Gallery.open(place / "gallery")
    (same, *others) = np.flatnonzero(gallery.snapshot.ids_N > 12)
    entry = gallery.entry(gallery.snapshot.ids_N[same])
    assert len(others) == len(entry.duplicates) == 2
    files = {f"{entry.folder}/{entry.path}", *entry.duplicates}
    assert files == {str(place / name / "cam1/same.png") for name in ("imgs", "more", "else")}


@pytest.mark.parametrize(
    ("since", "until", "passes"),
    [
        ("2024-05-01", None, True),
        ("2024-05-01T12:31", None, False),
        (None, "2024-05-01", True),
        (None, "2024-05-01T12:29", False),
        ("2024", "2024", True),
    ],
)
def test_a_time_may_be_a_day(tmp_path, monkeypatch, since, until, passes):
    monkeypatch.setattr(ubg, "load", Stub)
    exif = Image.Exif()
    exif[0x0132] = "2024:05:01 12:30:05"
    draw_picture(tmp_path / "imgs/a.jpg", 1, exif=exif)
    index(tmp_path / "gallery", Request([tmp_path / "imgs"], save_model(tmp_path)))
    gallery = Gallery.open(tmp_path / "gallery")
    wanted = Filter(captured_from=since, captured_to=until)
    assert gallery.allowed_rows(wanted).any() == passes


@pytest.mark.parametrize(
    "term",
    [
        "camera",
        "x=1",
        "from=yesterday",
        "to=2024-13",
        "from=2024-02-30",
        "to=2024-05-01T25",
        "min_height=-1",
        "path=" + "*a" * 9,
        "tag=" + "x" * 600,
    ],
)
def test_a_filter_that_makes_no_sense_is_refused(term):
    with pytest.raises(ValueError, match="filter"):
        Filter.parse([term])


@pytest.mark.parametrize(
    "parts",
    [
        {},
        {"texts": [("", 1)]},
        {"texts": [("x" * 3000, 1)]},
        {"texts": [("x", 0)]},
        {"texts": [("x", float("nan"))]},
        {"like": range(99)},
    ],
)
def test_a_query_that_makes_no_sense_is_refused(parts):
    with pytest.raises(ValueError, match=r"query|weight"):
        Query(**parts)


def test_parts_that_cancel_out_and_ids_of_nobody_are_refused(searcher):
    with pytest.raises(ValueError, match="cancel"):
        searcher.encode([Query([("a", 1), ("a", -1)])])
    for id in (99, -1, 10**30):
        with pytest.raises(ValueError, match="not in the gallery"):
            searcher.encode([Query(like=[id])])
        with pytest.raises(ValueError, match="not in the gallery"):
            searcher.gallery.entry(id)


def test_results_say_how_usual_a_score_is_without_the_person(place, searcher):
    _, second, *_ = find(searcher, Query.parse("a")).results
    fingerprint = searcher.gallery.manifest.fingerprint
    low = second.score + 1e-9
    for cosine, nobody in (([low, 0.99, 0.99, 0.99], True), ([low, low, low, 0.99], False)):
        measured = Calibration(fingerprint=fingerprint, images=9, cosine=cosine, both=[])
        write_calibration(place / "gallery" / CALIBRATION, measured)
        results = find(Searcher(searcher.gallery), Query.parse("a"))
        assert results.nobody_fits is nobody
        shares = [result.share_without_person for result in results.results[:2]]
        assert shares == [0.75 if nobody else 0.25, 1]
    assert find(Searcher(searcher.gallery), Query(like=[1])).nobody_fits is None
    nothing = find(Searcher(searcher.gallery), Query.parse("a"), filter=Filter(path="no such"))
    assert nothing.total == 0
    assert nothing.nobody_fits is None
    assert searcher.calibration is None


def test_the_gallerys_own_calibration_goes_before_that_of_the_model(place, searcher):
    gallery, manifest = searcher.gallery, searcher.gallery.manifest
    known = {"fingerprint": manifest.fingerprint, "codes": manifest.codes.fingerprint}

    def measured(name, **changes):
        values = known | {"images": 9, "cosine": [0.1], "both": [0.2]} | changes
        path = place / "gallery" / CALIBRATION if name == "own" else calibration_of(place / "model")
        write_calibration(path, Calibration(**values))

    def found(both_scores):
        calibration = Searcher(gallery, both_scores=both_scores).calibration
        return calibration and calibration.images

    for changes, cosine, both in (
        ({"images": 9}, 9, 9),
        ({"images": 8, "fingerprint": "of another model"}, None, None),
        ({"images": 7, "codes": "of another second score"}, 7, None),
        ({"images": 6, "both": []}, 6, None),
        ({"images": 5, "cosine": [], "both": []}, None, None),
        ({"images": 4}, 4, 4),
    ):
        measured("model", **changes)
        assert (found(False), found(True)) == (cosine, both), changes
    for changes, cosine, both in (
        ({"images": 3, "both": [], "codes": None}, 3, 4),
        ({"images": 2, "fingerprint": "of another model"}, 4, 4),
        ({"images": 1, "codes": None}, 1, 1),
    ):
        measured("own", **changes)
        assert (found(False), found(True)) == (cosine, both), changes


def test_an_engine_finds_the_same_with_what_came_after_it_was_made(place, searcher):
    pytest.importorskip("faiss")
    build_file(searcher.gallery, 1)
    draw_picture(place / "imgs/cam9/new.png", 50)
    (place / "imgs/cam0/000.png").unlink()
    index(place / "gallery", Request([]))
    exact = searcher.reopened()
    approximate = searcher.reopened()
    approximate.use(open_file(approximate.gallery))
    for terms in ([], ["camera=1"], ["path=cam9/*"]):
        wanted = Filter.parse(terms)
        for query in (Query.parse("a"), Query(like=[2])):
            expected = find(exact, query, filter=wanted)
            assert expected.total == len(expected.results)
            assert find(approximate, query, filter=wanted) == expected


class Listening:
    """An engine of all rows, gone ones and duplicates too; notes what it was asked for."""

    def __init__(self, gallery):
        self.ids, self.vectors = gallery.snapshot.ids_N, gallery.snapshot.vectors_ND
        self.asked = []

    def newest(self):
        return int(self.ids.max())

    def search(self, vectors, top, allowed=None):
        self.asked.append((top, allowed is not None))
        may = np.ones(len(self.ids), bool) if allowed is None else np.isin(self.ids, allowed)
        found = []
        for scores in vectors @ self.vectors.T:
            order = np.argsort(-scores, kind="stable")
            order = order[may[order]][:top]
            found.append(Found(self.ids[order], scores[order].astype(np.float64)))
        return found


def test_an_engine_is_told_what_may_be_found_only_where_there_is_a_filter(
    place, searcher, monkeypatch
):
    monkeypatch.setattr(module, "SPARE", 1)
    for count in range(6):
        shutil.copy(place / "imgs/cam1/004.png", place / f"imgs/cam1/copy{count}.png")
    (place / "imgs/cam0/000.png").unlink()
    index(place / "gallery", Request([]))
    exact = searcher.reopened()
    engine = Listening(exact.gallery)
    fast = searcher.reopened()
    fast.use(engine)
    queries = exact.encode([Query(like=[6]), Query.parse("a")])  # 6 has seven duplicates
    for page in (Page(1), Page(4), Page(3, 4), Page(50)):
        assert fast.search(queries, page) == exact.search(queries, page)
    assert not any(told for _, told in engine.asked)
    assert [top for top, _ in engine.asked[:2]] == [2, 8]
    monkeypatch.setattr(module, "MAX_FOUND", 3)  # all of them copies: then it is told after all
    assert fast.search(queries, Page(1)) == exact.search(queries, Page(1))
    assert engine.asked[-3:] == [(2, False), (3, False), (2, True)]
    wanted = Filter.parse(["camera=1"])
    assert fast.search(queries, Page(4), wanted) == exact.search(queries, Page(4), wanted)
    assert engine.asked[-1] == (5, True)


def test_a_vector_has_the_dimension_of_the_model(searcher):
    assert searcher.encode([Query.parse("a")]).vectors_QD.shape == (1, DIMENSION)
