"""A bad record in any layout is answered with file, record, what is wrong and what to do."""

import os
import shutil

import pytest
from spoiled_records import (
    IDENTITIES,
    LAYOUTS,
    NO_OBJECTS,
    NUMBER,
    PATHS,
    SPOILS,
    spoil,
)
from told import Fault, assert_told, refusal

from ubg.data.annotations.table import read_annotations


@pytest.fixture(scope="session")
def originals(tmp_path_factory):
    """Every layout as it should be, written when it is first asked for."""
    written = {}

    def original(name):
        if name not in written:
            written[name] = LAYOUTS[name].write(tmp_path_factory.mktemp(name))
        return written[name]

    return original


@pytest.fixture
def copy(originals, tmp_path):
    """A copy to be spoiled; the images are shared."""

    def copied(name):
        original = originals(name)
        shutil.copytree(original / "annotations", tmp_path / "annotations")
        (tmp_path / "imgs").symlink_to(original / "imgs")
        return tmp_path

    return copied


def assert_refused(layout, root, says, remedy):
    where = f"{root / 'annotations' / layout.file}, record {NUMBER}: "
    message = refusal(lambda: read_annotations(layout.format, root), root)
    assert message.startswith(where)
    assert_told(Fault(print, where, says, remedy), message)


@pytest.mark.parametrize("name", LAYOUTS)
def test_what_is_spoiled_here_was_good(copy, name):
    layout, root = LAYOUTS[name], copy(name)
    before = read_annotations(layout.format, root)
    layout.edit(root, lambda records: None)
    assert read_annotations(layout.format, root).equals(before)
    assert len(before) > NUMBER


# Their paths have to be of a form, or among those of the other file.
OF_ITS_OWN = {
    "orbench": ("should be vis/<four digits>/<name>", "; correct it"),
    "identity_clothing": ("is not in reid_raw.json", "; remove the record"),
}
LEFT_OUT = [("identity", "caption blank"), ("identity", "caption invisible")]  # and counted
CASES = [
    (name, spoiled)
    for name, layout in LAYOUTS.items()
    for spoiled, spoil_ in SPOILS.items()
    if getattr(layout, spoil_.field) is not None
    and (spoil_.text or not layout.file.endswith(".csv"))
    and (name, spoiled) not in LEFT_OUT
]


@pytest.mark.parametrize(("name", "spoiled"), CASES)
def test_bad_field(copy, name, spoiled):
    layout, root, bad = LAYOUTS[name], copy(name), SPOILS[spoiled]
    spoil(layout, root, bad.field, bad.value)
    says, remedy = bad.says.format(name=getattr(layout, bad.field)), bad.remedy
    if spoiled.removeprefix("path ") in PATHS:
        says, remedy = OF_ITS_OWN.get(layout.format, (says, remedy))
    assert_refused(layout, root, says, remedy)


NUMBERED = [name for name, layout in LAYOUTS.items() if layout.format != "custom"]


@pytest.mark.parametrize("name", NUMBERED)
@pytest.mark.parametrize("kind", IDENTITIES)
def test_bad_identity(copy, name, kind):
    value, says = IDENTITIES[kind]
    layout, root = LAYOUTS[name], copy(name)
    spoil(layout, root, "identity", value)
    assert_refused(layout, root, says, "correct it")


@pytest.mark.parametrize("name", [name for name in LAYOUTS if name != "csv"])
@pytest.mark.parametrize("kind", NO_OBJECTS)
def test_record_that_is_no_object(copy, name, kind):
    value, says = NO_OBJECTS[kind]
    layout, root = LAYOUTS[name], copy(name)
    layout.edit(root, lambda records: records.__setitem__(NUMBER, value))
    says = says if layout.format != "custom" else "is not an object"
    assert_refused(layout, root, says, "; ")


@pytest.mark.parametrize("name", [name for name, layout in LAYOUTS.items() if layout.captions])
@pytest.mark.parametrize(
    ("value", "says", "remedy"),
    [
        ("a man", "'captions' is not a list but text", "correct it"),
        (["a"] * 1_001, "has 1,001 captions, more than 1,000", "remove"),
    ],
)
def test_bad_list_of_captions(copy, name, value, says, remedy):
    layout, root = LAYOUTS[name], copy(name)
    spoil(layout, root, "caption", value)
    assert_refused(layout, root, says, remedy)


def of_other_identity(layout, records):
    """The position of a record of another identity than that of record `NUMBER`."""
    identity = records[NUMBER][layout.identity]
    return next(n for n, r in enumerate(records) if r[layout.identity] != identity)


@pytest.mark.parametrize("name", [name for name in LAYOUTS if name != "orbench"])
def test_image_of_two_identities(copy, name):
    """ORBench's identity is the folder of the image."""
    layout, root = LAYOUTS[name], copy(name)

    def share(records):
        other = of_other_identity(layout, records)
        records[other][layout.path] = records[NUMBER][layout.path]

    layout.edit(root, share)
    message = refusal(lambda: read_annotations(layout.format, root), root)
    assert "is of identity" in message
    assert layout.file in message


@pytest.mark.parametrize("name", [name for name, layout in LAYOUTS.items() if layout.split])
def test_identity_in_two_splits(copy, name):
    layout, root = LAYOUTS[name], copy(name)
    spoil(layout, root, "split", "test")
    message = refusal(lambda: read_annotations(layout.format, root), root)
    assert "is in test here and in train at record" in message or "is in train here" in message
    assert layout.file in message


def pipe(path):
    os.mkfifo(path)


def folder(path):
    path.mkdir()


def link_to_itself(path):
    path.symlink_to(path.name)


@pytest.mark.parametrize("name", LAYOUTS)
@pytest.mark.parametrize(
    ("put", "says"),
    [
        (pipe, "is not a file"),
        (folder, "is not a file"),
        (link_to_itself, "cannot be read: Too many levels of symbolic links"),
    ],
)
def test_annotations_that_are_no_file(copy, name, put, says):
    layout, root = LAYOUTS[name], copy(name)
    path = root / "annotations" / layout.file
    path.unlink()
    put(path)
    message = refusal(lambda: read_annotations(layout.format, root), root)
    assert_told(Fault(print, str(path), says, "put the "), message)


@pytest.mark.parametrize("name", LAYOUTS)
@pytest.mark.parametrize("gone", ["annotations", "imgs"])
def test_folder_is_missing(copy, name, gone):
    layout, root = LAYOUTS[name], copy(name)
    if gone == "imgs":
        (root / gone).unlink()
    else:
        shutil.rmtree(root / gone)
    message = refusal(lambda: read_annotations(layout.format, root), root)
    assert_told(Fault(print, str(root / gone), "", "put the "), message)


def test_image_that_is_a_link_to_nothing(originals, tmp_path):
    for name, layout in LAYOUTS.items():
        root = tmp_path / name
        shutil.copytree(originals(name), root)
        # The miniature of CUHK-PEDES lists the image of record `NUMBER` twice.
        path = layout.records(layout.load(root))[NUMBER - 1][layout.path]
        (root / "imgs" / path).unlink()
        (root / "imgs" / path).symlink_to(root / "nothing")
        message = refusal(lambda: read_annotations(layout.format, root), root)  # noqa: B023
        fault = Fault(print, ", record ", "is not in", "; put it there")
        assert_told(fault, message)
