"""`ubg search` and the other commands: what they take, print and refuse."""

import csv
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image
from tiny_gallery import Stub, draw_picture, gallery_of_twelve, scores_of

import ubg
from ubg.calibration import Calibration, write_calibration
from ubg.search.calibration import CALIBRATION
from ubg.search.command import main
from ubg.search.gallery import Entry, Gallery
from ubg.search.output import NOBODY, as_csv, as_json, as_table
from ubg.search.query import Query
from ubg.search.searcher import Page, Result, Results, Searcher
from ubg.search.sheet import draw_sheet


@pytest.fixture
def place(tmp_path, monkeypatch):
    return gallery_of_twelve(tmp_path, monkeypatch)


def run(monkeypatch, capsys, *arguments):
    monkeypatch.setattr(sys, "argv", ["ubg", *map(str, arguments)])
    main()
    return capsys.readouterr().out


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


@pytest.mark.parametrize("count", [0, 2, 7])
def test_labels_of_no_image_are_named(place, monkeypatch, capsys, count):
    names = ["cam0/000.png", *(f"nope{number}\x1b.png" for number in range(count))]
    (place / "labels.csv").write_text("\n".join(["path,camera", *(f"{n},7" for n in names)]))
    options = ["--gallery", place / "gallery", "--labels", place / "labels.csv"]
    lines = run(monkeypatch, capsys, "index", *options).splitlines()
    assert lines[1] == "1 images labelled"
    shown = [rf"nope{number}\x1b.png" for number in range(min(count, 5))] + ["..."] * (count > 5)
    told = f"{count} paths of the labels match no image: {', '.join(shown)}"
    assert lines[2:] == ([told] if count else [])


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
    searcher = Searcher(gallery)
    (found,) = searcher.search(searcher.encode([Query.parse("a hat")]), Page(3))
    results = found.results
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
    entry = Entry(1, path, folder, 2, 3, 0.0, "", None, tags, "-7", twins)
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


COMMAND = """
import ubg
from tiny_gallery import Stub
from ubg.search.command import main
ubg.load = Stub
main()
"""


def test_a_reader_that_has_left_is_no_error(place):
    """As `| head -1`, here before the first line; the picture is there all the same."""
    sheet = place / "sheet.png"
    asked = ["search", place / "gallery", "a hat", "--sheet", sheet]
    process = subprocess.Popen(
        [sys.executable, "-u", "-c", COMMAND, *asked],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    process.stdout.close()
    assert process.communicate(timeout=60)[1] == b""
    assert process.returncode == 128 + signal.SIGPIPE
    assert Image.open(sheet).format == "PNG"


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
    expected = scores_of(searcher.gallery, vector)[:10]
    assert [path for path, _ in found] == [path for path, _ in expected]
    np.testing.assert_allclose([s for _, s in found], [s for _, s in expected], atol=2e-6)


@pytest.mark.parametrize(
    ("option", "kinds", "told"),
    [
        ("--sketch", (), "no sketch; it takes text, photograph"),
        (
            "--infrared",
            ("cp", "sk"),
            "no infrared image; it takes text, photograph, colour pencil d",
        ),
    ],
)
def test_a_drawing_that_the_model_does_not_read_is_called_by_its_name(
    place, monkeypatch, option, kinds, told
):
    monkeypatch.setattr(Stub, "model", SimpleNamespace(normalisations=dict.fromkeys(kinds)))
    words = ["search", place / "gallery", option, place / "imgs/cam0/000.png"]
    monkeypatch.setattr(sys, "argv", ["ubg", *map(str, words)])
    with pytest.raises(SystemExit, match=f"^error: the model takes {told}"):
        main()


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
        expected = scores_of(searcher.gallery, vector / np.linalg.norm(vector))
        assert [result["path"] for result in page["results"]] == [path for path, _ in expected]
        scores = [result["score"] for result in page["results"]]
        np.testing.assert_allclose(scores, [score for _, score in expected], atol=2e-6)
    assert page["query"] == "a hat"


def test_a_server_is_not_accelerated(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["ubg", "accelerate", "http://127.0.0.1:9"])
    with pytest.raises(
        SystemExit, match=r"^error: http://127\.0\.0\.1:9: a Milvus server has an in"
    ):
        main()


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
        ("search", "gallery", "--like", 10**20),
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


def test_an_argument_that_is_no_utf8_is_named(place, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["ubg", "index", "fold\udcff", "--gallery", "gallery"])
    with pytest.raises(SystemExit) as stop:
        main()
    assert stop.value.code == 2
    assert r"b'fold\xff' is no UTF-8" in capsys.readouterr().err


@pytest.mark.parametrize("blocks", [8, 40])
def test_a_full_disk_is_a_line_with_what_to_do_and_the_command_goes_on(place, blocks):
    """A limit of a file's size stands for the disk: in making the gallery, and later."""
    shutil.rmtree(place / "gallery")
    for seed in range(200):
        draw_picture(place / f"imgs/{seed}.png", seed)
    code = "import ubg; from tiny_gallery import Stub; from ubg.search.command import main; "
    code += "ubg.load = Stub; main()"
    command = ["index", "imgs", "--model", "model", "--gallery", "gallery"]
    tests = str(Path(__file__).parents[1])
    run = partial(
        subprocess.run,
        cwd=place,
        env=os.environ | {"PYTHONPATH": os.pathsep.join([tests, *filter(None, sys.path)])},
        capture_output=True,
        text=True,
        timeout=120,
    )
    limited = f"ulimit -f {blocks}; exec {shlex.join([sys.executable, '-c', code, *command])}"
    full = run(["bash", "-c", limited])
    assert full.returncode == 1
    error = full.stderr.splitlines()[-1]
    assert re.fullmatch(rf"error: {place}/gallery/\S+: File too large; free some space, .*", error)
    assert "Traceback" not in full.stderr
    again = run([sys.executable, "-c", code, *command])
    assert again.returncode == 0, again.stderr
    assert "212 images" in again.stdout
