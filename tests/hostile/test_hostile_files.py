"""Files that are cut, of another kind, in another encoding, or not the ones that are expected."""

import gzip
import json
import pickle
import shutil

import miniatures
import pytest
from spoiled_records import LAYOUTS
from told import Fault, assert_told, refusal

from ubg.data.annotations.table import read_annotations

FETCH = "fetch it again"
NO_LIST = "should begin with '[', a list of records, not "

# What becomes of the file, what is said to it and what to do.
JSON_FILES = {
    "empty": (lambda text: b"", f"{NO_LIST}''", FETCH),
    "white space": (lambda text: b" \n\t", f"{NO_LIST}''", FETCH),
    "cut in a record": (lambda text: text[:-100], "", FETCH),
    "cut after a record": (
        lambda text: text[: text.rindex(b"}") + 1],
        "by ',' or ']', not ''",
        FETCH,
    ),
    "comma at the end": (lambda text: text[:-1] + b",]", "Expecting value", FETCH),
    "comma missing": (
        lambda text: text.replace(b"}, {", b"} {", 1),
        "by ',' or ']', not '{'",
        FETCH,
    ),
    "two lists": (lambda text: text * 2, "text follows after the list", FETCH),
    "a record alone": (lambda text: text[1 : text.index(b"}") + 1], f"{NO_LIST}'{{'", FETCH),
    "records without a list": (lambda text: text[1:-1], f"{NO_LIST}'{{'", FETCH),
    "text in quotes": (lambda text: json.dumps(text.decode()).encode(), f"{NO_LIST}'\"'", FETCH),
    "null": (lambda text: b"null", f"{NO_LIST}'n'", FETCH),
    "comment": (lambda text: b"// records\n" + text, f"{NO_LIST}'/'", FETCH),
    "quotes of Python": (lambda text: text.replace(b'"', b"'"), "Expecting property name", FETCH),
    "words of Python": (lambda text: b'[{"id": None}]', "Expecting value", FETCH),
    "page of a server that refused": (lambda text: b"<!DOCTYPE html>", f"{NO_LIST}'<'", FETCH),
    "placeholder of large file storage": (lambda text: b"version https:/", f"{NO_LIST}'v'", FETCH),
    "compressed": (gzip.compress, "is not UTF-8", "convert the file"),
    "pickled": (lambda text: pickle.dumps([{"id": 1}]), "is not UTF-8", "convert the file"),
    "UTF-16": (lambda text: text.decode().encode("utf-16"), "is not UTF-8", "convert the file"),
    "UTF-16, no mark": (lambda text: "[{}]".encode("utf-16-le"), "Expecting value", FETCH),
    "Latin 1": (lambda text: b'[{"captions": ["caf\xe9"]}]', "is not UTF-8", "convert the file"),
    "half a character": (lambda text: b'[{"captions": ["\xe7\xba"]}]', "is not UTF-8", "convert"),
    "surrogate in UTF-8": (lambda text: b'[{"a": "\xed\xa0\x80"}]', "is not UTF-8", "convert"),
    "overlong slash": (lambda text: b'[{"a": "..\xc0\xaf"}]', "is not UTF-8", "convert"),
    "zero byte": (lambda text: text[:1] + b"\0" + text[1:], "Expecting value", FETCH),
    "line break in a text": (lambda text: b'[{"a": "b\nc"}]', "Invalid control character", FETCH),
    "unknown escape": (lambda text: b'[{"a": "\\x41"}]', "Invalid \\escape", FETCH),
    "half an escape": (lambda text: b'[{"a": "\\u12"}]', "Invalid \\uXXXX escape", FETCH),
    "a field twice": (lambda text: b'[{"id": 1, "id": 2}]', "has the field 'id' twice", "keep one"),
    "number of 5,000 digits": (lambda text: b'[{"id": 1' + b"0" * 4_999, "5,000 digits", "correct"),
    "nested lists": (lambda text: b"[" * 100_000, "nested too deeply", "fetch the file again"),
    "nested objects": (
        lambda text: b'[{"a":' * 50_000,
        "nested too deeply",
        "fetch the file again",
    ),
}
LISTS = ["cuhk", "cuhk_all", "cuhk_splits", "icfg", "rstp", "orbench", "identity"]


@pytest.fixture(scope="module")
def originals(tmp_path_factory):
    return {name: LAYOUTS[name].write(tmp_path_factory.mktemp(name)) for name in LISTS}


@pytest.mark.parametrize("kind", JSON_FILES)
@pytest.mark.parametrize("name", LISTS)
def test_spoiled_json(originals, tmp_path, name, kind):
    layout = LAYOUTS[name]
    change, says, remedy = JSON_FILES[kind]
    shutil.copytree(originals[name] / "annotations", tmp_path / "annotations")
    (tmp_path / "imgs").symlink_to(originals[name] / "imgs")
    path = tmp_path / "annotations" / layout.file
    path.write_bytes(change(path.read_bytes()))
    message = refusal(lambda: read_annotations(layout.format, tmp_path), tmp_path)
    assert_told(Fault(print, f"{path}, record ", says, remedy), message)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        *((name, "[]") for name in ("cuhk", "cuhk_splits", "icfg", "rstp", "orbench")),
        ("cuhk_sentences", "{}"),
        ("cuhk_sentences", '{"annotations": []}'),
        ("jsonl", "\n"),
        ("csv", "image_path,caption,pid,split\n"),
    ],
)
def test_no_records(tmp_path, name, content):
    layout = LAYOUTS[name]
    layout.write(tmp_path)
    path = tmp_path / "annotations" / layout.file
    path.write_text(content)
    message = refusal(lambda: read_annotations(layout.format, tmp_path), tmp_path)
    assert_told(Fault(print, str(path), "has no records", "; "), message)


def test_files_of_two_layouts(tmp_path):
    miniatures.write_cuhk_pedes(tmp_path)
    miniatures.write_cuhk_pedes(tmp_path, "caption_all.json")
    message = refusal(lambda: read_annotations("cuhk_pedes", tmp_path), tmp_path)
    says = "reid_raw.json and caption_all.json are two sources of the same annotations"
    assert_told(Fault(print, str(tmp_path / "annotations"), says, "leave one"), message)


@pytest.mark.parametrize(
    ("format", "layout", "gone"),
    [
        ("cuhk_pedes", "train_reid.json", "val_reid.json"),
        ("cuhk_pedes", "train.json", "test.json"),
        ("orbench", None, "train_annos.json"),
        ("identity_clothing", None, "caption_cloth.json"),
    ],
)
def test_file_of_a_layout_is_missing(tmp_path, format, layout, gone):
    write = miniatures.MINIATURES[format]
    write(tmp_path, layout) if layout else write(tmp_path)
    path = tmp_path / "annotations" / gone
    path.unlink()
    message = refusal(lambda: read_annotations(format, tmp_path), tmp_path)
    assert_told(Fault(print, str(path), "is missing beside", "put it there"), message)


@pytest.mark.parametrize("format", miniatures.MINIATURES)
def test_annotations_of_another_data_set(tmp_path, format):
    other = "rstpreid" if format != "rstpreid" else "icfg_pedes"
    miniatures.MINIATURES[other](tmp_path)
    message = refusal(lambda: read_annotations(format, tmp_path), tmp_path)
    where = str(tmp_path / "annotations")
    assert_told(Fault(print, where, "has no annotations", "put "), message)
