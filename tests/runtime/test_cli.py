import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from safetensors import SafetensorError

from ubg.runtime.cli import run_stage, run_system_stage, run_systems_stage

SYSTEMS = ("phase1", "phase2")
SOURCE = Path(__file__).parents[2] / "src"


def test_a_fault_of_the_input_is_one_line_and_status_one(monkeypatch):
    def stage():
        raise ValueError("params.yaml: seed: no")

    monkeypatch.setattr(sys, "argv", ["stage.py"])
    monkeypatch.delenv("DVC_STAGE", raising=False)
    with pytest.raises(SystemExit, match=r"^error: params\.yaml: seed: no$"):
        run_stage("A stage.", stage)


def test_under_dvc_a_fault_says_how_to_bring_back_what_dvc_removed(monkeypatch):
    def stage():
        raise ValueError("params.yaml: seed: no")

    monkeypatch.setattr(sys, "argv", ["stage.py"])
    monkeypatch.setenv("DVC_STAGE", "train_phase2")
    with pytest.raises(SystemExit, match=r"^error: params\.yaml: seed: no\nDVC .*`dvc checkout`"):
        run_stage("A stage.", stage)


def test_a_fault_of_the_program_keeps_its_traceback(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["stage.py"])
    with pytest.raises(ZeroDivisionError):
        run_stage("A stage.", lambda: 1 / 0)


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (
            PermissionError(13, "x", "plots/a.png"),
            r"plots/a\.png: Permission denied; allow writing",
        ),
        (OSError(30, "x", "models"), "models: Read-only file system; allow writing"),
        (
            OSError(28, "x", "data/images.u8"),
            r"data/images\.u8: No space left on device; free some",
        ),
        (OSError(28, "x"), "No space left on device; free some"),
        (SafetensorError("I/O error: No space left on device (os error 28)"), "No space left on"),
        (
            MemoryError("Unable to allocate 9. TiB"),
            "not enough memory, it seems: Unable to allocate",
        ),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory"), "not enough memory"),
        (torch.OutOfMemoryError("CUDA out of memory. Tried"), "not enough memory"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_an_error_of_the_system_is_one_line_that_says_what_to_do(monkeypatch, error, told):
    def stage():
        raise error

    monkeypatch.setattr(sys, "argv", ["stage.py"])
    monkeypatch.delenv("DVC_STAGE", raising=False)
    with pytest.raises(SystemExit, match=rf"^error: {told}") as end:
        run_stage("A stage.", stage)
    assert "\n" not in end.value.code


SCRIPT = """
import resource, signal, sys, time
from pathlib import Path
from ubg.runtime.cli import run_stage

signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell in the background ignores it

def main():
    if sys.argv.pop() == "full":
        import torch
        from ubg.runtime.checkpoint import save_state
        resource.setrlimit(resource.RLIMIT_FSIZE, (10**5, 10**5))
        model = torch.nn.Linear(300, 300)
        save_state(Path("state.pt"), model, torch.optim.SGD(model.parameters()), {})
    from ubg.runtime.files import replace_folder
    from ubg.runtime.pool import mapper
    with replace_folder("out"), mapper(2) as mapped:
        for _ in mapped(time.sleep, [0.01] * 100_000):
            Path("begun").touch()

arguments = sys.argv
sys.argv = sys.argv[:1]
real = main
run_stage("A stage.", lambda: (sys.argv.append(arguments[1]), real()))
"""


def script(folder, *arguments):
    (folder / "script.py").write_text(SCRIPT)
    return subprocess.Popen(
        [sys.executable, "script.py", *arguments],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(SOURCE)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


@pytest.mark.parametrize(
    ("kind", "whom", "status"),
    [
        (signal.SIGINT, os.killpg, 130),  # as the terminal sends Ctrl-C
        (signal.SIGTERM, os.kill, 143),
        (signal.SIGTERM, os.killpg, 143),
    ],
)
def test_ctrl_c_and_sigterm_are_one_line_and_leave_nothing_behind(tmp_path, kind, whom, status):
    process = script(tmp_path, "wait")
    while not (tmp_path / "begun").exists():
        assert process.poll() is None, process.communicate()[0]
        time.sleep(0.01)
    whom(process.pid, kind)
    output, _ = process.communicate(timeout=60)
    assert output == (f"\nstopped by {kind.name}; run the same command again to go on from here\n")
    assert process.returncode == status
    assert {path.name for path in tmp_path.iterdir()} == {"begun", "script.py"}


def test_processes_of_a_pool_do_not_outlive_a_killed_stage(tmp_path):
    process = script(tmp_path, "wait")
    while not (tmp_path / "begun").exists():
        assert process.poll() is None, process.communicate()[0]
        time.sleep(0.01)
    process.kill()
    process.communicate(timeout=60)  # ends when the last of them has closed its output


def test_a_checkpoint_for_which_the_disk_has_no_room_names_the_disk(tmp_path):
    output, _ = (process := script(tmp_path, "full")).communicate(timeout=300)
    assert output.startswith("error: state.pt: File too large; free some space")
    assert (process.returncode, output.count("\n")) == (1, 1)
    assert [path.name for path in tmp_path.iterdir()] == ["script.py"]


@pytest.mark.parametrize(("before", "expected"), [(None, "1"), ("0", "0")])
def test_torch_is_to_take_huge_pages_unless_told_otherwise(before, expected, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["stage.py"])
    monkeypatch.setenv("THP_MEM_ALLOC_ENABLE", before or "")
    if before is None:
        monkeypatch.delenv("THP_MEM_ALLOC_ENABLE")
    seen = []
    run_stage("A stage.", lambda: seen.append(os.environ["THP_MEM_ALLOC_ENABLE"]))
    assert seen == [expected]


def test_the_stage_gets_the_system_named(monkeypatch):
    seen = []
    monkeypatch.setattr(sys, "argv", ["train.py", "phase2"])
    run_system_stage("Train.", seen.append, SYSTEMS)
    monkeypatch.setattr(sys, "argv", ["compare.py", "phase2", "phase1"])
    run_systems_stage("Compare.", seen.append, SYSTEMS)
    assert seen == ["phase2", ["phase2", "phase1"]]


@pytest.mark.parametrize("run", [run_system_stage, run_systems_stage])
@pytest.mark.parametrize("arguments", [[], ["phase99"]])
def test_an_unknown_or_absent_system_is_refused(run, arguments, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["stage.py", *arguments])
    with pytest.raises(SystemExit) as end:
        run("A stage.", lambda _: pytest.fail("ran"), SYSTEMS)
    assert end.value.code == 2
    assert "system" in capsys.readouterr().err


PRINTS = """
import sys
from ubg.runtime.cli import run_script

def stage():
    sys.stdin.read()
    for _ in range({lines}):
        print("a line")

run_script(stage)
"""


def printing(lines, output):
    """A stage that prints some lines once its input has ended."""
    return subprocess.Popen(
        [sys.executable, "-c", PRINTS.format(lines=lines)],
        env={name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
        | {"PYTHONPATH": str(SOURCE)},
        stdin=subprocess.PIPE,
        stdout=output,
        stderr=subprocess.PIPE,
    )


@pytest.mark.parametrize("lines", [1, 100_000])  # told as it ends, and in the middle
def test_a_reader_that_has_left_is_no_error(lines):
    process = printing(lines, subprocess.PIPE)
    process.stdout.close()
    assert process.communicate()[1] == b""
    assert process.returncode == 128 + signal.SIGPIPE


@pytest.mark.parametrize("lines", [1, 100_000])
def test_an_output_that_takes_no_more_is_one_line(lines):
    with Path("/dev/full").open("w") as full:
        process = printing(lines, full)
        _, told = process.communicate()
    assert told.startswith(b"error: No space left on device; free some space")
    assert (process.returncode, told.count(b"\n")) == (1, 1)


def test_another_pipe_that_breaks_is_an_error(monkeypatch):
    def stage():
        raise BrokenPipeError(32, "x")

    monkeypatch.setattr(sys, "argv", ["stage.py"])
    monkeypatch.delenv("DVC_STAGE", raising=False)
    with Path(os.devnull).open("w") as output:
        monkeypatch.setattr(sys, "stdout", output)
        with pytest.raises(SystemExit, match=r"^error: Broken pipe; "):
            run_stage("A stage.", stage)


STOPPED_WHILE_IT_EXITS = """
import atexit, os, signal
from ubg.runtime.cli import exit_cleanly

def fail():
    raise ValueError("no good")

atexit.register(os.kill, os.getpid(), signal.SIGTERM)
exit_cleanly(fail)
"""


def test_a_signal_while_the_interpreter_exits_adds_nothing():
    command = [sys.executable, "-c", STOPPED_WHILE_IT_EXITS]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == -signal.SIGTERM
    assert done.stderr == "error: no good\n"
