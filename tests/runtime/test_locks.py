"""One process at a time holds the lock on a path; it ends with its process."""

import errno
import fcntl
import os
import re
import signal
import subprocess
import sys
import time
from multiprocessing import get_context
from pathlib import Path

import pytest

from ubg.runtime import locks
from ubg.runtime.files import replace_file, replace_folder
from ubg.runtime.locks import PathLock, locked
from ubg.runtime.system_errors import told_in_one_line

SOURCE = Path(__file__).parents[2] / "src"
HOLD = """
import sys, time
from pathlib import Path
from ubg.runtime.locks import locked
with locked(Path("out")):
    print("held", flush=True)
    time.sleep(float(sys.argv[1]))
"""
WRITE = """
import sys, time
from ubg.runtime import locks
from ubg.runtime.files import replace_file, replace_folder
name, mark = sys.argv[1:]
for number in range(60):
    if name == "folder":
        with replace_folder(name) as aside:
            for part in "ab":
                (aside / part).write_text(f"{mark} {number}")
                time.sleep(0.001)
    else:
        with replace_file(name) as aside, aside.open("w") as file:
            file.write(f"{mark} ")
            file.flush()
            time.sleep(0.002)
            file.write(f"{mark}")
"""


def start(folder: Path, code: str, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", code, *arguments],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(SOURCE)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@pytest.fixture
def holder(tmp_path):
    process = start(tmp_path, HOLD, "2.5")
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.communicate()


def test_the_second_waits_and_says_for_whom(holder, tmp_path, capsys):
    assert not PathLock(tmp_path / "out").acquire()
    with locked(tmp_path / "out"):
        assert holder.wait() == 0
    assert re.fullmatch(
        rf"waiting for {tmp_path}/out: process {holder.pid} on \S+ since "
        r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d[+-]\d\d:\d\d is at work on it\n",
        capsys.readouterr().out,
    )
    assert list(tmp_path.iterdir()) == []


def test_a_killed_holder_holds_nothing(holder, tmp_path, capsys):
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    assert (tmp_path / ".out.lock").exists()
    with locked(tmp_path / "out"):
        pass
    assert capsys.readouterr().out == ""
    assert list(tmp_path.iterdir()) == []


def test_a_child_that_outlives_its_holder_holds_nothing(tmp_path):
    with locked(tmp_path / "out"):
        child = get_context("fork").Process(target=time.sleep, args=(30,))
        child.start()
    try:
        assert PathLock(tmp_path / "out").acquire()
    finally:
        child.kill()
        child.join()


@pytest.mark.parametrize("name", ["folder", "file"])
def test_two_writers_of_one_output_leave_it_whole(tmp_path, name):
    writers = [start(tmp_path, WRITE, name, mark) for mark in "xy"]
    for writer in writers:
        output, _ = writer.communicate(timeout=60)
        assert writer.returncode == 0, output
    assert [path.name for path in tmp_path.iterdir()] == [name]
    if name == "folder":
        assert {path.name for path in (tmp_path / name).iterdir()} == {"a", "b"}
        assert len({path.read_text() for path in (tmp_path / name).iterdir()}) == 1
    else:
        assert (tmp_path / name).read_text() in ("x x", "y y")


def test_a_file_system_without_locks_is_told_once_and_written_to(tmp_path, monkeypatch, capsys):
    def refuse(*arguments):
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", refuse)
    monkeypatch.setattr(locks, "_told_of", set())
    for number in range(2):
        with replace_folder(tmp_path / "out") as aside, replace_file(tmp_path / "file") as file:
            with replace_file(aside / "part") as part:
                part.write_text(str(number))
            file.write_text(str(number))
    told = capsys.readouterr().out.splitlines()
    assert told == [
        f"note: no locks in {tmp_path} (No locks available); "
        "do not run a stage there twice at the same time"
    ]
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["file", "out", "part"]
    assert (tmp_path / "out/part").read_text() == (tmp_path / "file").read_text() == "1"


def test_another_fault_of_the_lock_is_not_swallowed(tmp_path, monkeypatch):
    def fail(*arguments):
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(fcntl, "flock", fail)
    with pytest.raises(OSError, match="Input/output error"), locked(tmp_path / "out"):
        pass


@pytest.mark.parametrize("replace", [replace_file, replace_folder])
def test_where_nobody_may_write_the_output_is_named(replace):
    """Not the lock beside it; root may not write there either."""
    with pytest.raises(OSError, match=r"/sys/out") as caught, replace(Path("/sys/out")):
        pytest.fail("nothing can be written")
    told = told_in_one_line(caught.value)
    assert re.fullmatch(
        r"/sys/out: (Permission denied|Read-only file system); allow writing there, or .*", told
    )


def test_a_disk_without_room_for_the_name_of_the_holder_leaves_no_lock(tmp_path, monkeypatch):
    def full(*arguments, **options):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(tmp_path / ".out.lock"))

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(OSError, match=r"/out'") as caught:
        PathLock(tmp_path / "out").acquire()
    assert ".lock" not in told_in_one_line(caught.value)
    assert list(tmp_path.iterdir()) == []
