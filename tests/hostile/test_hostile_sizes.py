"""Files that would fill the memory are refused by a process that has little."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from spoiled_images import bomb
from told import Fault, assert_told

PROGRAM = Path(__file__).with_name("within_memory.py")
MANY = 50_000_000


def sparse(start, size):
    """Begins with `start` and has `size` bytes, zeros that no disk holds."""

    def write(path):
        with path.open("wb") as file:
            file.write(start)
            file.truncate(size)

    return write


def filled(start, unit, size, end=b""):
    def write(path):
        with path.open("wb") as file:
            file.write(start)
            for _ in range(0, size, 1_000_000):
                file.write(unit * (1_000_000 // len(unit)))
            file.write(end)

    return write


CUHK, TEST_OF_ORBENCH = "reid_raw.json", "test_gallery_and_queries.json"
RECORD = b'[{"split": "train", "id": 1, "file_path": "a.png", "captions": ['
CSV = b"image_path,caption,pid,split\na.png,"
JSONL = b'{"image_path": "a.png", "pid": 1, "split": "train", "caption": "'

# Format, file, how to write it, and the answer.
FILES = {
    "nested lists of 2 GB": ("cuhk_pedes", CUHK, sparse(b"[" * 2**20, 2**31),
        (CUHK, "has 2,147,483,648 bytes, more than 1,073,741,824", "split it")),
    "nested lists, as large as is allowed": ("cuhk_pedes", CUHK, sparse(b"[" * 2**20, 2**30),
        ("record 0", "is nested too deeply", "fetch the file again")),
    "zeros": ("cuhk_pedes", CUHK, sparse(b"", 2**30),
        ("record 0", "should begin with '[', a list of records, not '\\x00'", "fetch it again")),
    "zeros in a list": ("cuhk_pedes", CUHK, sparse(b"[", 2**30),
        ("record 0", "Expecting value", "fetch it again")),
    "spaces": ("cuhk_pedes", CUHK, filled(b"", b" ", MANY),
        ("record 0", "should begin with '[', a list of records, not ''", "fetch it again")),
    "caption of 10 MB": ("cuhk_pedes", CUHK, filled(RECORD + b'"', b"a", 10_000_000, b'"]}]'),
        ("record 0", "within the 1,048,576 characters that a record may have", "fetch it again")),
    "caption of 1 MB": ("cuhk_pedes", CUHK, filled(RECORD + b'"', b"a", 1_000_000, b'"]}]'),
        ("record 0", "caption 0 has 1,000,000 characters, more than 20,000", "shorten it")),
    "captions without end": ("cuhk_pedes", CUHK, filled(RECORD, b'"a",', MANY),
        ("record 0", "within the 1,048,576 characters that a record may have", "fetch it again")),
    "250,000 captions of an image": ("cuhk_pedes", CUHK, filled(RECORD, b'"a",', 1, b'"a"]}]'),
        ("record 0", "has 250,001 captions, more than 1,000", "remove")),
    "number without end": ("cuhk_pedes", CUHK, filled(b'[{"id": ', b"1", MANY),
        ("record 0", "has a number of 1,048,5", "correct it")),
    "names without end": ("orbench", TEST_OF_ORBENCH, filled(b'{"', b"N", MANY),
        (TEST_OF_ORBENCH, "within the 1,048,576 characters that a record may", "fetch it again")),
    "lists without end": ("orbench", TEST_OF_ORBENCH, filled(b'{"NIR": [', b"[1,", MANY),
        ("'NIR', record 0", "is nested too deeply", "fetch the file again")),
    "CSV field of 10 MB": ("custom", "annotations.csv", filled(CSV, b"a", 10_000_000, b",1,train"),
        ("record 0", "has more than the 1,048,576 characters that a record may", "shorten it")),
    "CSV quote never closed": ("custom", "annotations.csv", filled(CSV + b'"', b"a man\n", MANY),
        ("record 0", "field larger than field limit (131072)", "quote")),
    "CSV row of commas": ("custom", "annotations.csv", filled(CSV, b",", MANY),
        ("record 0", "has more than the 1,048,576 characters that a record may", "shorten it")),
    "CSV header without end": ("custom", "annotations.csv", filled(b"", b"a,", MANY),
        ("header", "has more than the 1,048,576 characters that a record may", "shorten it")),
    "JSON line of 10 MB": ("custom", "annotations.jsonl", filled(JSONL, b"a", 10_000_000, b'"}'),
        ("record 0", "has more than the 1,048,576 characters that a record may", "shorten it")),
    "JSON line of zeros": ("custom", "annotations.jsonl", sparse(b"", 2**30),
        ("record 0", "has more than the 1,048,576 characters that a record may", "shorten it")),
}  # fmt: skip


def said(tasks):
    """What `within_memory` says to each task, by its name."""
    result = subprocess.run(
        [sys.executable, PROGRAM],
        input=json.dumps(tasks),
        env=os.environ
        | {
            "PYTHONPATH": os.pathsep.join(sys.path),
            "OMP_NUM_THREADS": "1",
            "MALLOC_ARENA_MAX": "1",
        },
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def answers(tmp_path_factory):
    """All in one process: starting one takes longer than any of them."""
    tasks = []
    for name, (format, file, write, _) in FILES.items():
        root = tmp_path_factory.mktemp("root")
        (root / "annotations").mkdir()
        (root / "imgs").mkdir()
        write(root / "annotations" / file)
        if format == "orbench":
            record = {"id": 1, "file_path": "vis/0001/a.jpg", "caption": "a man"}
            (root / "annotations" / "train_annos.json").write_text(json.dumps([record]))
        tasks.append([name, "read_annotations", [format, str(root)]])
    return said(tasks)


@pytest.mark.parametrize("name", FILES)
def test_file_is_refused_within_little_memory(answers, name):
    where, says, remedy = FILES[name][3]
    assert_told(Fault(print, where, says, remedy), answers[name])


def test_a_reader_that_loads_the_file_would_not_get_through(tmp_path):
    sparse(b"", 2**30)(tmp_path / "file")
    assert said([["whole", "load", [str(tmp_path / "file")]]]) == {"whole": "MemoryError"}


def test_bombs_that_are_just_allowed_inflate_one_at_a_time(tmp_path):
    """Four at once would take more than a gigabyte; one takes 300 MB."""
    (tmp_path / "imgs").mkdir()
    content = bomb(4_000, 4_000, 8, 6)
    assert len(content) < 100_000
    for number in range(4):
        (tmp_path / "imgs" / f"{number}.png").write_bytes(content)
    assert said([["bombs", "pack", [str(tmp_path / "imgs"), 4]]]) == {"bombs": None}
    assert (tmp_path / "packed" / "images.u8").stat().st_size == 4 * 16 * 16 * 3
