"""Queries of all kinds, filters, pages, and the command line on top."""

import csv
import json
import shutil
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image
from tiny_gallery import DIMENSION, Stub, draw_folder, draw_picture, save_model

import ubg
from ubg.calibration import Calibration, calibration_of, write_calibration
from ubg.search import searcher as module
from ubg.search import tidying
from ubg.search.accelerating import build_file, open_file
from ubg.search.calibration import CALIBRATION
from ubg.search.command import main
from ubg.search.engines.contract import Found
from ubg.search.filters import Filter
from ubg.search.gallery import Entry, Gallery
from ubg.search.indexing import Request, index
from ubg.search.labels import Label
from ubg.search.output import NOBODY, as_csv, as_json, as_table
from ubg.search.query import Query
from ubg.search.searcher import Page, Result, Results, Searcher
from ubg.search.sheet import draw_sheet


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A gallery of twelve images, of which two have the same bytes, and its model."""
    monkeypatch.setattr(ubg, "load", Stub)
    draw_folder(tmp_path / "imgs", 11)
    draw_picture(tmp_path / "imgs/cam9/twin.png", 4)
    labels = {
        f"cam{n % 3}/{n:03}.png": Label(("night",) if n < 4 else (), str(n % 2)) for n in range(11)
    }
    model = save_model(tmp_path)
    index(tmp_path / "gallery", Request([tmp_path / "imgs"], model, True, labels=labels))
    return tmp_path


@pytest.fixture
def searcher(place):
    return Searcher(Gallery.open(place / "gallery"))


def find(searcher, query, page=None, filter=None):
    (results,) = searcher.search(searcher.encode([query]), page, filter)
    return results


def scores_of(searcher, vector):
    """By path, of the first of equal bytes, best first."""
    gallery = searcher.gallery
    scores = gallery.snapshot.vectors_ND.astype(np.float64) @ vector
    paths = [entry.path for entry in gallery.entries(gallery.snapshot.ids_N)]
    by_score = sorted(zip(-scores, paths, strict=True))
    return [(path, -score) for score, path in by_score if path != "cam9/twin.png"]


def check(results, expected):
    assert [result.entry.path for result in results.results] == [path for path, _ in expected]
    found = [result.score for result in results.results]
    np.testing.assert_allclose(found, [score for _, score in expected], atol=1e-6)


def test_a_text_finds_by_cosine_and_pages_join(searcher):
    vector = Stub().encode_text(["a red coat"]).numpy()[0]
    results = find(searcher, Query.parse("a red coat"))
    check(results, scores_of(searcher, vector))
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
        check(find(searcher, query), scores_of(searcher, vector / np.linalg.norm(vector)))


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
    ["camera", "x=1", "from=yesterday", "min_height=-1", "path=" + "*a" * 9, "tag=" + "x" * 600],
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
    with pytest.raises(ValueError, match="not in the gallery"):
        searcher.encode([Query(like=[99])])


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


@pytest.mark.parametrize(
    "content",
    [
        '{"cosine": [',
        '{"fingerprint": "x", "images": 1, "cosine": [0.2, 0.1], "both": []}',
        '{"fingerprint": "x", "images": 1, "cosine": [], "both": [1e999]}',
    ],
)
@pytest.mark.parametrize("name", ["gallery/calibration.json", "model_calibration.json"])
def test_a_damaged_calibration_is_a_line_that_names_it(place, monkeypatch, name, content):
    monkeypatch.chdir(place)
    (place / name).write_text(content)
    monkeypatch.setattr(sys, "argv", ["ubg", "search", "gallery", "a man"])
    with pytest.raises(SystemExit, match=rf"^error: .*{name}: cannot be read [^\n]*$"):
        main()


def test_a_model_may_be_named_from_within_its_folder(place, monkeypatch, capsys):
    monkeypatch.chdir(place / "model")
    run(monkeypatch, capsys, "search", "../gallery", "a man", "--model", ".")


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


def run(monkeypatch, capsys, *arguments):
    monkeypatch.setattr(sys, "argv", ["ubg", *map(str, arguments)])
    main()
    return capsys.readouterr().out


def test_the_command_prints_a_table_json_or_csv_and_draws(place, monkeypatch, capsys):
    def search(*options):
        return run(monkeypatch, capsys, "search", place / "gallery", "a hat", "--top", 3, *options)

    page = json.loads(search("--json", "--page", 2))
    assert [result["rank"] for result in page["results"]] == [4, 5, 6]
    assert page["total"] == 11
    rows = list(csv.DictReader(search("--csv", "--filter", "tag=night").splitlines()))
    assert [row["tags"] for row in rows] == ["night"] * 3
    assert len(search("--sheet", place / "sheet.png").splitlines()) == 4
    with Image.open(place / "sheet.png") as sheet:
        assert sheet.width > 300
    report = run(monkeypatch, capsys, "index", "--gallery", place / "gallery")
    assert "12 images" in report
    assert "0 new" in report


@pytest.mark.parametrize("nobody", [True, False])
def test_that_nobody_fits_is_said_in_every_form(place, monkeypatch, capsys, nobody):
    gallery = Gallery.open(place / "gallery")
    measured = Calibration(
        fingerprint=gallery.manifest.fingerprint, images=9, cosine=[0.99 if nobody else -1], both=[]
    )
    write_calibration(place / "gallery" / CALIBRATION, measured)

    def search(*options):
        words = ["ubg", "search", str(place / "gallery"), "a hat", "--top", "3", *options]
        monkeypatch.setattr(sys, "argv", words)
        main()
        return capsys.readouterr()

    share = 1 if nobody else 0
    table = search("--sheet", str(place / "sheet.png")).out.splitlines()
    assert (table[0] == NOBODY) == nobody
    assert f"{100 * share:.1f} %" in table[-1]
    results = find(Searcher(gallery), Query.parse("a hat"), Page(3)).results
    title = "Nobody fits: a hat" if nobody else "a hat"
    draw_sheet(place / "expected.png", title, gallery, results)
    assert (place / "sheet.png").read_bytes() == (place / "expected.png").read_bytes()
    table = search("--csv")
    assert table.err == (f"{NOBODY}\n" if nobody else "")
    rows = list(csv.DictReader(table.out.splitlines()))
    assert [float(row["share_without_person"]) for row in rows] == [share] * 3
    page = search("--json")
    assert page.err == ""
    assert json.loads(page.out)["nobody_fits"] is nobody


def test_names_of_files_steer_no_terminal_and_no_spreadsheet():
    path = "=cmd()\x1b[2J\x9b\u202egnp.\U000e0001ä\udc80"
    folder, tags, twins = "/a\nb", ("@a", "-b"), ("+c", "d")
    entry = Entry(1, path, folder, 2, 3, 0.0, None, tags, "-7", twins)
    results = Results([Result(1, 1, -0.5, None, entry)], 1, None)
    text = as_json("\x1b", results)
    (found,) = json.loads(text)["results"]
    assert (found["path"], found["folder"], found["tags"]) == (path, folder, [*tags])
    (row,) = csv.DictReader(as_csv(results).splitlines())
    assert row["path"] == r"'=cmd()\x1b[2J\x9b\u202egnp.\U000e0001ä\udc80"
    assert (row["folder"], row["camera"], row["score"]) == (r"/a\nb", "'-7", "-0.5")
    assert (row["tags"], row["duplicates"]) == ("'@a;-b", "'+c;d")
    for lines in (text, as_csv(results), as_table(results)):
        assert "ä" in lines
        assert "".join(lines.splitlines()).isprintable()
        lines.encode()


class DrawingStub(Stub):
    """Reads infrared, pencil and sketches: a query is the sum of its parts."""

    model = SimpleNamespace(normalisations=dict.fromkeys(("nir", "cp", "sk")))

    def encode_query(self, parts):
        weights = {"text": 1, "nir": 2, "sk": 3, "cp": 4}
        rows = [
            weights[kind]
            * (self.encode_text if kind == "text" else self.encode_image)(items).numpy()
            for kind, items in parts.items()
        ]
        return torch.tensor(self._unit(sum(rows)))


@pytest.mark.parametrize(
    "kinds",
    [
        ("sk",),
        ("nir",),
        ("cp",),
        ("text", "nir"),
        ("text", "sk"),
        ("text", "cp"),
        ("nir", "sk", "text"),
        ("nir", "cp", "sk", "text"),
    ],
)
def test_the_command_takes_drawings_in_any_combination(place, monkeypatch, capsys, kinds):
    monkeypatch.setattr(ubg, "load", DrawingStub)
    files = {
        "sk": place / "imgs/cam0/000.png",
        "nir": place / "imgs/cam1/001.png",
        "cp": place / "imgs/cam2/002.png",
    }
    options = {"sk": "--sketch", "nir": "--infrared", "cp": "--colour-pencil"}
    parts = {kind: [Image.open(files[kind])] for kind in ("nir", "cp", "sk") if kind in kinds}
    arguments = [word for kind in parts for word in (options[kind], files[kind])]
    if "text" in kinds:
        parts, arguments = parts | {"text": ["a hat"]}, ["a hat", *arguments]
    out = run(monkeypatch, capsys, "search", place / "gallery", *arguments, "--json")
    found = [(result["path"], result["score"]) for result in json.loads(out)["results"]]
    vector = DrawingStub().encode_query(parts).numpy()[0]
    searcher = Searcher(Gallery.open(place / "gallery"))
    expected = scores_of(searcher, vector)[:10]
    assert [path for path, _ in found] == [path for path, _ in expected]
    np.testing.assert_allclose([s for _, s in found], [s for _, s in expected], atol=2e-6)


def test_the_command_takes_pictures_and_images_of_the_gallery(place, monkeypatch, capsys):
    searcher = Searcher(Gallery.open(place / "gallery"))
    files = [place / "imgs/cam0/000.png", place / "imgs/cam1/001.png"]
    shown = Stub().encode_image([Image.open(file) for file in files]).numpy()
    said = Stub().encode_text(["a hat"]).numpy()[0]
    kept = searcher.gallery.vectors([3, 5])
    for arguments, vector in (
        (["--image", files[0]], shown[0]),
        (["--image", files[0], "--image", files[1], "--like", 3], shown.sum(0) + kept[0]),
        (["--like", 3], kept[0]),
        (["--like", 3, "--like", 5, "--image", files[0]], kept.sum(0) + shown[0]),
        (["2 * a hat", "--image", files[1]], 2 * said + shown[1]),
        (["a hat", "--image", files[1], "--like", 5], said + shown[1] + kept[1]),
    ):
        options = [*arguments, "--json", "--top", 11]
        page = json.loads(run(monkeypatch, capsys, "search", place / "gallery", *options))
        expected = scores_of(searcher, vector / np.linalg.norm(vector))
        assert [result["path"] for result in page["results"]] == [path for path, _ in expected]
        scores = [result["score"] for result in page["results"]]
        np.testing.assert_allclose(scores, [score for _, score in expected], atol=2e-6)
    assert page["query"] == "a hat"


@pytest.mark.parametrize(
    "arguments",
    [
        ("search", "none", "a"),
        ("search", "gallery"),
        ("search", "gallery", "a", "--page", 0),
        ("search", "gallery", "a", "--top", 5000),
        ("search", "gallery", "a", "--filter", "x=1"),
        ("search", "gallery", "--image", "gallery/manifest.json"),
        ("search", "gallery", "--like", 77),
        ("search", "gallery", "a", "--model", "imgs"),
        ("search", "gallery", "a", "--sheet", "no/such/folder.png"),
        ("index", "nowhere", "--gallery", "gallery"),
        ("index", "imgs", "--gallery", "gallery", "--model", "model_generator"),
        ("index", "imgs", "--gallery", "imgs", "--model", "model"),
        ("index", "--gallery", "gallery", "--forget", "elsewhere"),
        ("index", "--gallery", "gallery", "--labels", "nothing.csv"),
        ("search", "gallery", "a", "--approximate"),
        ("search", "gallery", "a", "--sketch", "imgs/cam0/000.png"),
        ("search", "http://127.0.0.1:9", "a"),
        ("search", "http://127.0.0.1", "a"),
        ("calibrate", "http://127.0.0.1:9", "--data", "nowhere"),
        ("accelerate", "gallery", "--recall", 2),
        ("calibrate", "gallery", "--data", "nowhere"),
    ],
)
def test_a_fault_is_one_line(place, monkeypatch, arguments):
    monkeypatch.chdir(place)
    monkeypatch.setattr(sys, "argv", ["ubg", *map(str, arguments)])
    with pytest.raises(SystemExit) as stop:
        main()
    assert str(stop.value).startswith("error: ")
    assert "\n" not in str(stop.value)


def test_a_vector_has_the_dimension_of_the_model(searcher):
    assert searcher.encode([Query.parse("a")]).vectors_QD.shape == (1, DIMENSION)
