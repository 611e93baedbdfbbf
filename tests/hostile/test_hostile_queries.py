"""ORBench's gallery and queries, whose rows mix numbers, paths and text."""

import json

import miniatures
import pytest
from told import Fault, assert_told, refusal

from ubg.data.annotations.table import read_annotations

PATH = "should be nir/<four digits>/<name>"
PARTS = "is not a list of a number and 1 parts"

# The row that is put in, what is said of it and what to do.
QUERIES = {
    "no list": ("NIR", {"number": 8}, PARTS, "fetch the file again"),
    "null": ("NIR", None, PARTS, "fetch the file again"),
    "empty": ("NIR", [], PARTS, "fetch the file again"),
    "a part too few": ("NIR+CP", [8, "nir/0820/0820_nir_0.jpg"], "and 2 parts", "fetch the file"),
    "a part too many": ("NIR", [8, "nir/0820/0820_nir_0.jpg", 1], PARTS, "fetch the file again"),
    "number is text": ("NIR", ["8", "nir/0820/0820_nir_0.jpg"], "but text", "correct it"),
    "number is true": ("NIR", [True, "nir/0820/0820_nir_0.jpg"], "but true or false", "correct it"),
    "number is negative": ("NIR", [-8, "nir/0820/0820_nir_0.jpg"], "id -8 is not", "correct it"),
    "nobody": ("NIR", [99, "nir/0820/0820_nir_0.jpg"], "99 is not in RGB_GALLERY", "remove the"),
    "somebody else": ("NIR", [9, "nir/0820/0820_nir_0.jpg"], "shows person 820", "correct one"),
    "path is a number": ("NIR", [8, 8], "a path is not text but a number", "correct it"),
    "path of another modality": ("NIR", [8, "vis/0820/0820_vis_0.jpg"], PATH, "correct it"),
    "path up": ("NIR", [8, "nir/../../x.jpg"], PATH, "correct it"),
    "path up at the end": ("NIR", [8, "nir/0820/.."], "leaves", "correct it"),
    "path steers": ("NIR", [8, "nir/0820/\x1b[2J"], "leaves", "correct it"),
    "path without a file": ("NIR", [8, "nir/0820/x.jpg"], "is not in", "put it there"),
    "text is a number": ("TEXT", [8, 8], "caption is not text but a number", "correct it"),
    "text is blank": ("TEXT", [8, " \n"], "caption is empty", "give one or remove it"),
    "text without end": ("TEXT", [8, "a" * 20_001], "has 20,001 characters", "shorten it"),
    "gallery row without path": ("RGB_GALLERY", [8], "a number and a path", "fetch the file again"),
    "gallery path up": ("RGB_GALLERY", [8, "vis/0820/.."], "leaves", "correct it"),
    "gallery number of two": ("RGB_GALLERY", [8, "vis/0810/x.jpg"], "is person 810", "correct one"),
    "modality of no kind": ("RGB", [8, "vis/0820/x.jpg"], "a query is made of", "correct it"),
    "modality twice": ("NIR+NIR", [8, "a", "b"], "a query is made of", "correct it"),
    "no modality": ("", [8], "a query is made of", "correct it"),
    "kind steers": (
        "\x1b[2J\n",
        [8],
        r"a query is made of NIR, CP, SK, TEXT, not '\x1b[2J\n'",
        "cor",
    ),
}


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    return miniatures.write_orbench(tmp_path_factory.mktemp("orbench"))


def write(original, root, document):
    (root / "annotations").mkdir()
    (root / "imgs").symlink_to(original / "imgs")
    name = "train_annos.json"
    (root / "annotations" / name).write_text((original / "annotations" / name).read_text())
    path = root / "annotations" / "test_gallery_and_queries.json"
    path.write_text(json.dumps(document))
    return path


@pytest.mark.parametrize("name", QUERIES)
def test_bad_row(original, tmp_path, name):
    kind, row, says, remedy = QUERIES[name]
    good = (original / "annotations" / "test_gallery_and_queries.json").read_text()
    document = json.loads(good)
    document.setdefault(kind, []).append(row)
    number = len(document[kind]) - 1
    path = write(original, tmp_path, document)
    message = refusal(lambda: read_annotations("orbench", tmp_path), tmp_path)
    assert_told(Fault(print, f"{path}, list {kind!r}, record {number}: ", says, remedy), message)


@pytest.mark.parametrize("gone", ["RGB_GALLERY", "TEXT"])
def test_list_is_missing(original, tmp_path, gone):
    good = (original / "annotations" / "test_gallery_and_queries.json").read_text()
    document = json.loads(good)
    for kind in list(document):
        if gone in kind:
            del document[kind]
    path = write(original, tmp_path, document)
    message = refusal(lambda: read_annotations("orbench", tmp_path), tmp_path)
    assert_told(Fault(print, str(path), f"has nothing under {gone!r}", "fetch the file"), message)
