"""Outputs appear whole or not at all."""

import pytest

from ubg.runtime.files import fingerprint, replace_file, replace_folder


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


def test_what_a_killed_writer_left_does_not_leak_into_the_output(tmp_path):
    (tmp_path / ".out.partial").mkdir()
    (tmp_path / ".out.partial" / "stale").write_text("stale")
    with replace_folder(tmp_path / "out") as aside:
        (aside / "new").write_text("new")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["new"]


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


def test_fingerprint_ignores_the_order_of_keys_only():
    assert fingerprint({"a": 1, "b": 2}) == fingerprint({"b": 2, "a": 1})
    assert fingerprint({"a": 1}) != fingerprint({"a": 2})
    assert fingerprint("ab", "c") != fingerprint("a", "bc")
