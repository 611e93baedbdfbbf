"""A train stage killed by SIGKILL and run again ends with the weights of an uninterrupted one.

Tried on phase 4, which draws most at random: dropout, augmentation, masks, order of the samples.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from tiny_project import ACCUMULATE, EPOCHS, write_project

from ubg.runtime.locks import locked


def stage(project: Path, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, *arguments],
        cwd=project,
        env=os.environ | {"PYTHONPATH": "src"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def finish(process: subprocess.Popen[str]) -> str:
    output, _ = process.communicate(timeout=300)
    assert process.returncode == 0, output
    return output


@pytest.fixture(scope="module")
def prepared(tmp_path_factory) -> Path:
    """A project whose data are ready, with dropout, accumulation and a checkpoint at every step."""
    project = tmp_path_factory.mktemp("resume")
    write_project(project, {EPOCHS: "epochs: 3\n  batch_size: 4", ACCUMULATE: "accumulate: 2"})
    for name in ("prepare_annotations", "pack_images", "fit_tokenizer", "fit_vqgan"):
        finish(stage(project, f"stages/{name}.py"))
    finish(stage(project, "stages/precompute_vq_tokens.py"))
    return project


@pytest.fixture
def project(prepared, tmp_path) -> Path:
    """A copy that one test alone trains in."""
    return Path(shutil.copytree(prepared, tmp_path / "project"))


@pytest.fixture(scope="module")
def expected(prepared) -> dict[str, bytes]:
    finish(stage(prepared, "stages/train.py", "phase4"))
    return results(prepared)


def results(project: Path) -> dict[str, bytes]:
    """All that the stage wrote, by path; the stage's checkpoints are gone."""
    assert not list((project / "checkpoints").iterdir())
    found = {}
    for folder in ("models/phase4", "models/phase4_generator", "plots/phase4/training"):
        for path in sorted((project / folder).rglob("*")):
            if path.is_file():
                found[str(path.relative_to(project))] = path.read_bytes()
        shutil.rmtree(project / folder)
    return found


@pytest.fixture(scope="module")
def two_processes(prepared, tmp_path_factory) -> Path:
    """The same project, to be trained in two processes, for as long as two kills need."""
    project = tmp_path_factory.mktemp("processes") / "project"
    shutil.copytree(prepared, project)
    for name, pattern, new in (
        ("params.yaml", "processes: 1", "processes: 2"),
        ("configs/scales/tiny.yaml", r"\n  epochs: \d+", "\n  epochs: 3"),
    ):
        text, count = re.subn(pattern, new, (project / name).read_text())
        assert count == 1, pattern
        (project / name).write_text(text)
    return project


def process_of_rank(agent: subprocess.Popen[str], rank: int) -> int:
    """The process that `agent` started as number `rank`."""
    children = Path(f"/proc/{agent.pid}/task/{agent.pid}/children").read_text().split()
    for child in children:
        if f"LOCAL_RANK={rank}\0" in Path(f"/proc/{child}/environ").read_text():
            return int(child)
    raise AssertionError(f"no process of rank {rank} among {children}")


def when_saved(count: int) -> Callable[[Path], bool]:
    """After `count` checkpoints were seen."""
    seen: set[int] = set()

    def reached(checkpoints: Path) -> bool:
        for path in checkpoints.glob("*/state.pt"):
            seen.add(path.stat().st_mtime_ns)
        return len(seen) >= count

    return reached


def while_writing(name: str) -> Callable[[Path], bool]:
    """While `name` is being written aside.

    os.walk passes over a folder that is gone by the time it gets there, which rglob does not.
    """
    aside = re.compile(rf"\.{re.escape(name)}\.[0-9a-f]+\.partial")
    return lambda checkpoints: any(
        aside.fullmatch(file) for _, _, files in os.walk(checkpoints) for file in files
    )


def kill_when(moment: Callable[[Path], bool], project: Path) -> None:
    """Train phase 4 and kill it when `moment` comes for its checkpoints."""
    process = stage(project, "stages/train.py", "phase4")
    try:
        while not moment(project / "checkpoints"):
            if process.poll() is not None:
                pytest.fail(f"the stage ended before the moment came:\n{process.communicate()[0]}")
            time.sleep(0.0005)
    finally:
        process.kill()
        process.communicate()
    assert not (project / "models/phase4").exists()


@pytest.mark.parametrize(
    "moments",
    [
        [when_saved(1), when_saved(5)],
        [while_writing("state.pt"), when_saved(9), while_writing("state.pt")],
        [while_writing("model.safetensors")],
    ],
    ids=["mid-epoch, twice", "while writing a checkpoint", "while writing the best weights"],
)
def test_killed_and_rerun_equals_uninterrupted(project, expected, moments):
    for moment in moments:
        kill_when(moment, project)
    output = finish(stage(project, "stages/train.py", "phase4"))
    assert "resuming from" in output
    assert results(project) == expected


def test_one_of_two_processes_killed_ends_the_other_and_a_rerun_goes_on(two_processes):
    finish(stage(two_processes, "stages/train.py", "phase4"))
    expected = results(two_processes)
    process = stage(two_processes, "stages/train.py", "phase4")
    reached = when_saved(3)
    while not reached(two_processes / "checkpoints") and process.poll() is None:
        time.sleep(0.002)
    others = process_of_rank(process, 0)
    os.kill(process_of_rank(process, 1), signal.SIGKILL)
    output, _ = process.communicate(timeout=300)
    assert process.returncode == 1
    assert output.splitlines()[-1] == (
        "error: process 1 of 2 ended with signal SIGKILL, the others were stopped; "
        "run the same command again to go on from the last checkpoint"
    )
    assert not Path(f"/proc/{others}").exists()
    assert "Traceback" not in output
    assert not (two_processes / "models/phase4").exists()
    output = finish(stage(two_processes, "stages/train.py", "phase4"))
    assert output.count("resuming from") == 1
    assert results(two_processes) == expected


@pytest.mark.parametrize("copies", [1, 2], ids=["one tree", "copies with one checkpoints"])
def test_of_runs_at_the_same_time_one_trains_and_all_have_the_result(
    prepared, tmp_path, monkeypatch, expected, copies
):
    monkeypatch.setenv("UBG_CHECKPOINTS", str(tmp_path / "checkpoints"))
    projects = [tmp_path / f"project_{number}" for number in range(copies)]
    for project in projects:
        shutil.copytree(prepared, project)
        (project / "checkpoints").mkdir(exist_ok=True)
    process = stage(projects[0], "stages/train.py", "phase4")
    reached = when_saved(1)
    while not reached(tmp_path / "checkpoints"):
        assert process.poll() is None, process.communicate()[0]
        time.sleep(0.0005)
    process.kill()
    process.communicate()
    (folder,) = (tmp_path / "checkpoints").glob("phase4-*")

    with locked(folder):
        runs = [stage(project, "stages/train.py", "phase4") for project in [*projects, project]]
        for run in runs:
            words = f"waiting for {folder}: process {os.getpid()} on "
            assert any(words in line for line in run.stdout), "does not wait"
    outputs = [finish(run) for run in runs]
    assert all("resuming from" in output for output in outputs)
    assert sum("validation r1" in output for output in outputs) == 1
    for project in projects:
        assert results(project) == expected
    assert list((tmp_path / "checkpoints").iterdir()) == []


@pytest.mark.parametrize(
    ("file", "resumes"), [("comparison/ladder.py", True), ("losses/sdm.py", False)]
)
def test_a_comment_starts_a_run_anew_where_its_room_is_used(project, file, resumes):
    kill_when(when_saved(1), project)
    with (project / "src/ubg" / file).open("a") as code:
        code.write("# A comment.\n")
    output = finish(stage(project, "stages/train.py", "phase4"))
    assert ("resuming from" in output) == resumes
