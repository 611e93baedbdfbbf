"""Outputs appear whole or not at all."""

import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ubg.runtime.files import (
    beside,
    fingerprint,
    remove,
    replace_file,
    replace_folder,
    require_space,
    sweep,
)
from ubg.runtime.locks import PathLock
from ubg.runtime.system_errors import told_in_one_line


def test_folder_replaces_the_old_one_whole(tmp_path):
    target = tmp_path / "out"
    target.mkdir()
    (target / "old").write_text("old")
    with replace_folder(target) as aside:
        (aside / "new").write_text("new")
        assert (target / "old").exists()
    assert [path.name for path in target.iterdir()] == ["new"]
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_failure_leaves_the_old_folder_and_nothing_else(tmp_path):
    target = tmp_path / "out"
    target.mkdir()
    (target / "old").write_text("old")

    def fail():
        with replace_folder(target) as aside:
            (aside / "half").write_text("half")
            raise RuntimeError("stopped")

    with pytest.raises(RuntimeError):
        fail()
    assert (target / "old").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


LEFT = ".out.0123456789abcdef.partial"


@pytest.mark.parametrize("replace", [replace_folder, replace_file])
def test_what_killed_writers_left_is_swept_and_nothing_of_others(tmp_path, replace):
    others = {"out.txt", ".out.partial.txt", f".an{LEFT}", ".out.more.0123456789abcdef.partial"}
    for name in others:
        (tmp_path / name).write_text("of others")
    (tmp_path / LEFT / "deep").mkdir(parents=True)
    (tmp_path / LEFT.replace("0", "f")).write_text("stale")
    with replace(tmp_path / "out") as aside:
        if replace is replace_folder:
            (aside / "new").write_text("new")
        else:
            aside.write_text("new")
    assert {path.name for path in tmp_path.iterdir()} == {"out", *others}


def test_without_locks_nothing_is_swept_that_another_may_write(tmp_path, monkeypatch):
    monkeypatch.setattr(PathLock, "acquire", lambda self, seconds=0: True)
    (tmp_path / LEFT).mkdir()
    with replace_folder(tmp_path / "out"):
        pass
    assert {path.name for path in tmp_path.iterdir()} == {"out", LEFT}


def test_an_old_folder_is_whole_until_the_new_one_is_there(tmp_path, monkeypatch):
    """Nothing is deleted in place: a kill in the middle of it would leave a part."""
    target = tmp_path / "out"
    target.mkdir()
    (target / "old").write_text("old")
    seen = []
    delete = shutil.rmtree

    def watch(path, **options):
        seen.append((Path(path).name, [file.name for file in target.iterdir()]))
        delete(path, **options)

    monkeypatch.setattr(shutil, "rmtree", watch)
    with replace_folder(target) as aside:
        (aside / "new").write_text("new")
    assert [files for _, files in seen] == [["new"]]
    assert all(name.endswith(".partial") for name, _ in seen)


def test_removal_is_by_renaming_first(tmp_path, monkeypatch):
    (tmp_path / "out").mkdir()
    (tmp_path / "out/part").write_text("part")
    monkeypatch.setattr(shutil, "rmtree", lambda path, **options: None)  # killed before it
    remove(tmp_path / "out")
    assert not (tmp_path / "out").exists()
    assert [len(list(path.iterdir())) for path in tmp_path.iterdir()] == [1]
    monkeypatch.undo()
    sweep(tmp_path / "out")
    assert list(tmp_path.iterdir()) == []
    remove(tmp_path / "out")  # which is not there


def test_threads_at_once_leave_one_whole_folder(tmp_path):
    def write(mark):
        for number in range(20):
            with replace_folder(tmp_path / "out") as aside:
                for part in "abcdef":
                    (aside / part).write_text(f"{mark} {number}")

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(write, "xy"))
    (folder,) = tmp_path.iterdir()
    assert len(list(folder.iterdir())) == 6
    assert len({path.read_text() for path in folder.iterdir()}) == 1


def test_failed_file_keeps_the_old_content(tmp_path):
    target = tmp_path / "deep" / "file"
    with replace_file(target) as aside:
        aside.write_text("one")

    def fail():
        with replace_file(target) as aside:
            aside.write_text("tw")
            raise RuntimeError("stopped")

    with pytest.raises(RuntimeError):
        fail()
    assert target.read_text() == "one"
    assert [path.name for path in target.parent.iterdir()] == ["file"]


def test_an_error_is_told_with_the_output_that_was_being_written(tmp_path):
    """The system names no file where one is full, and what is written aside has another name."""

    def fail(error):
        with replace_folder(tmp_path / "out") as aside, replace_file(aside / "part"):
            raise error

    told = f"{tmp_path}/out: No space left on device; free some space, "
    for error in (OSError(28, "full"), RuntimeError("(os error 28)")):
        with pytest.raises(type(error)) as caught:
            fail(error)
        assert told_in_one_line(caught.value).startswith(told)
    with pytest.raises(OSError, match="else") as caught:
        fail(OSError(13, "no", "else"))
    assert told_in_one_line(caught.value).startswith("else: Permission denied; ")


def test_what_lies_beside_a_folder_is_found_from_within_it(tmp_path, monkeypatch):
    model = tmp_path / "models" / "phase4"
    (model / "tokenizer").mkdir(parents=True)
    assert beside(model, "_generator") == tmp_path / "models/phase4_generator"
    for place, name in ((model, "."), (model / "tokenizer", ".."), (tmp_path, "models/phase4/")):
        monkeypatch.chdir(place)
        assert beside(Path(name), "_generator").resolve() == tmp_path / "models/phase4_generator"
    link = tmp_path / "link"
    link.symlink_to(model)
    assert beside(link, ".json") == tmp_path / "link.json"


def test_fingerprint_ignores_the_order_of_keys_only():
    assert fingerprint({"a": 1, "b": 2}) == fingerprint({"b": 2, "a": 1})
    assert fingerprint({"a": 1}) != fingerprint({"a": 2})
    assert fingerprint("ab", "c") != fingerprint("a", "bc")


def test_a_long_run_without_room_is_refused_before_it_begins(tmp_path, monkeypatch):
    require_space(tmp_path / "new" / "out", 1000)
    with pytest.raises(
        ValueError, match=r"out: needs 1,099,511,627,776,000 bytes on the disk, which has "
    ):
        require_space(tmp_path / "out", 1_048_576_000 * 2**20)
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with pytest.raises(ValueError, match=rf"cannot be written, {tmp_path} is read-only"):
        require_space(tmp_path / "new" / "out", 0)
