"""Processes that a stage is started as: who ends when, and what is told."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

SCRIPT = """
import os, sys, time
from pathlib import Path
from ubg.runtime.cli import exit_cleanly
from ubg.runtime.launch import is_launched, one_of_several, run_in_processes

def main():
    if not is_launched():
        return run_in_processes(2)
    rank = os.environ["RANK"]
    with one_of_several():
        Path(sys.argv[1], rank).write_text(str(os.getpid()))
        if sys.argv[2] == "refuse":
            raise ValueError("params.yaml: no")
        if sys.argv[2] == "fail" and rank == "1":
            raise KeyError("a bug")
        time.sleep(300)

exit_cleanly(main)
"""


@pytest.fixture
def start(tmp_path):
    """Start the script; its processes leave their numbers in `tmp_path`."""
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)

    def run(behaviour: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, script, tmp_path, behaviour],
            env=os.environ | {"CUDA_VISIBLE_DEVICES": ""},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    return run


def numbers(folder: Path) -> list[int]:
    return [int(text) for path in folder.glob("[01]") if (text := path.read_text())]


def is_running(number: int) -> bool:
    try:
        return "\nState:\tZ" not in Path(f"/proc/{number}/status").read_text()
    except OSError:
        return False


def test_what_all_processes_refuse_is_told_once(start):
    process = start("refuse")
    output, _ = process.communicate(timeout=300)
    assert (process.returncode, output) == (1, "error: params.yaml: no\n")


def test_a_bug_in_one_process_shows_and_ends_the_others(start, tmp_path):
    process = start("fail")
    output, _ = process.communicate(timeout=300)
    assert process.returncode == 1
    assert "KeyError: 'a bug'" in output
    assert output.splitlines()[-1].startswith("error: process 1 of 2 ended with status 1, the oth")
    assert not any(is_running(number) for number in numbers(tmp_path))


@pytest.mark.parametrize("kind", [signal.SIGTERM, signal.SIGKILL])
def test_processes_end_with_the_stage_that_started_them(start, tmp_path, kind):
    process = start("wait")
    while len(numbers(tmp_path)) < 2:
        assert process.poll() is None, process.communicate()[0]
        time.sleep(0.05)
    process.send_signal(kind)
    output, _ = process.communicate(timeout=300)
    if kind == signal.SIGTERM:
        assert process.returncode == 143
        assert output.splitlines()[-1].startswith("error: stopped by SIGTERM; run the same command")
    deadline = time.monotonic() + 60
    while any(is_running(number) for number in numbers(tmp_path)):
        assert time.monotonic() < deadline
        time.sleep(0.05)
