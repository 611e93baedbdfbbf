"""Kills every stage, or `dvc repro`, at random moments and at file events; compares the bytes.

No test of pytest: it takes as long as it is told. From the root of the repository:

    python tests/kill_harness.py --kills 200
    python tests/kill_harness.py --kills 20 --only train_irra evaluate_phase4
    python tests/kill_harness.py --kills 20 --only repro

Each kill is by SIGKILL, of the stage and all that it started, in a small project whose outputs are
known. Then the same command runs again: all that the stage writes must be the bytes of an
uninterrupted run, and nothing may be left beside it. Exits with status 1 where that is not so.
"""

import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tiny_project import EPOCHS, write_project

SYSTEMS = ("irra", "phase1", "phase2", "phase3", "phase4")
WRITTEN = ("data", "models", "metrics", "plots", "checkpoints")


@dataclass(frozen=True)
class Stage:
    """A command, and what DVC removes before it runs it.

    Attributes:
        name: as DVC has it.
        command: behind the interpreter.
        outs: paths that it writes.
    """

    name: str
    command: tuple[str, ...]
    outs: tuple[str, ...]


def stages() -> list[Stage]:
    """Every stage in the order of the pipeline."""
    data = [
        Stage("prepare_annotations", ("stages/prepare_annotations.py",), ("data/prepared",)),
        Stage("pack_images", ("stages/pack_images.py",), ("data/images", "plots/images")),
        Stage("make_foils", ("stages/make_foils.py",), ("data/foils",)),
        Stage("fit_tokenizer", ("stages/fit_tokenizer.py",), ("models/tokenizer",)),
        Stage(
            "fit_vqgan",
            ("stages/fit_vqgan.py",),
            ("models/vqgan", "metrics/vqgan.json", "plots/vqgan"),
        ),
        Stage("precompute_vq_tokens", ("stages/precompute_vq_tokens.py",), ("data/vq_tokens.h5",)),
    ]
    for system in SYSTEMS:
        beside = ("models/phase4_generator",) if system == "phase4" else ()
        drawn = ("plots/phase4/generation",) if system == "phase4" else ()
        data += [
            Stage(
                f"train_{system}",
                ("stages/train.py", system),
                (f"models/{system}", f"plots/{system}/training", *beside),
            ),
            Stage(
                f"evaluate_{system}",
                ("stages/evaluate.py", system),
                (f"metrics/{system}.json", f"plots/{system}/evaluation", *drawn),
            ),
        ]
    compare = ("stages/compare.py", *SYSTEMS)
    return [*data, Stage("compare", compare, ("plots/compare",))]


REPRO = Stage("repro", ("-m", "dvc", "repro", "compare"), ("models", "metrics", "plots"))


def start(project: Path, stage: Stage, log: Path) -> subprocess.Popen[bytes]:
    """The stage in a session of its own, so that what it starts can be killed with it."""
    with log.open("ab") as told:
        return subprocess.Popen(
            [sys.executable, *stage.command],
            cwd=project,
            env=os.environ | {"PYTHONPATH": "src", "OMP_NUM_THREADS": "1"},
            stdout=told,
            stderr=told,
            start_new_session=True,
        )


def content(project: Path, stage: Stage) -> dict[str, bytes]:
    """The bytes of all that the stage wrote."""
    files = {}
    for out in stage.outs:
        for path in [project / out, *(project / out).rglob("*")]:
            if path.is_file():
                files[path.relative_to(project).as_posix()] = path.read_bytes()
    return files


def left_behind(project: Path) -> list[str]:
    """Temporary files and checkpoints, of which a finished run leaves none."""
    below = [path for name in WRITTEN for path in (project / name).rglob("*")]
    odd = [path for path in below if path.name.endswith((".partial", ".lock"))]
    odd += list((project / "checkpoints").glob("*-*"))
    return sorted(path.relative_to(project).as_posix() for path in odd)


def snapshot(project: Path) -> frozenset[tuple[str, int]]:
    """Names and sizes of what is being written; os.walk bears what vanishes meanwhile."""
    found = set()
    for name in WRITTEN:
        for folder, folders, files in os.walk(project / name):
            if "raw" in folders:
                folders.remove("raw")
            for file in files:
                try:
                    size = os.stat(os.path.join(folder, file)).st_size  # noqa: PTH116, PTH118
                except OSError:
                    size = -1
                found.add((f"{folder}/{file}", size))
    return frozenset(found)


def at_moment(seconds: float) -> Callable[[Path], bool]:
    """So many seconds after the start."""
    end = time.monotonic() + seconds
    return lambda project: time.monotonic() > end


def at_event(number: int) -> Callable[[Path], bool]:
    """When files have changed for the `number`-th time."""
    seen: list[frozenset[tuple[str, int]]] = []

    def reached(project: Path) -> bool:
        now = snapshot(project)
        if not seen or seen[-1] != now:
            seen.append(now)
        return len(seen) > number

    return reached


def kill(project: Path, stage: Stage, moment: Callable[[Path], bool], log: Path) -> bool:
    """Run the stage and kill it when the moment comes; whether it came before the end."""
    process = start(project, stage, log)
    while not moment(project):
        if process.poll() is not None:
            return False
        time.sleep(0.001)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    return True


def main() -> int:
    """Make the outputs once, then kill and compare."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--kills", type=int, default=30)
    parser.add_argument("--in-a-row", type=int, default=1, help="kills before the last rerun")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", nargs="*", help="names of stages; repro for the whole")
    chosen = parser.parse_args()
    draw, known = random.Random(chosen.seed), stages()
    with tempfile.TemporaryDirectory(prefix="kills-") as folder:
        project, log = Path(folder) / "project", Path(folder) / "log"
        write_project(project, {EPOCHS: "epochs: 2\n  batch_size: 4"})
        subprocess.run([sys.executable, "-m", "dvc", "init", "--no-scm", "-q"], cwd=project)
        wanted = [s for s in [*known, REPRO] if not chosen.only or s.name in chosen.only]
        last = max(known.index(s) if s in known else len(known) - 1 for s in wanted)
        seconds, expected = {}, {}
        for stage in known[: last + 1]:
            began = time.monotonic()
            if start(project, stage, log).wait():
                print(log.read_text(errors="replace")[-3000:])
                return 2
            seconds[stage.name] = time.monotonic() - began
            print(f"{stage.name}: {seconds[stage.name]:.0f} s", flush=True)
        for stage in wanted:
            expected[stage.name] = content(project, stage)
        seconds["repro"] = sum(seconds.values())

        killed = different = failed = 0
        for number in range(chosen.kills):
            stage = wanted[number % len(wanted)]
            # As DVC does; for the whole, also what it would take finished stages from.
            for out in (*stage.outs, *(("dvc.lock", ".dvc/cache") if stage is REPRO else ())):
                path = project / out
                shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
            for _ in range(chosen.in_a_row):
                by_time = draw.random() < 0.5
                moment = (
                    at_moment(draw.uniform(0.3, 1) * seconds[stage.name])
                    if by_time
                    else at_event(draw.randint(1, 40))
                )
                killed += kill(project, stage, moment, log)
            status = start(project, stage, log).wait()
            failed += status != 0
            same = content(project, stage) == expected[stage.name] and not left_behind(project)
            different += not same
            how = "time" if by_time else "file event"
            print(f"{number + 1} {stage.name} by {how}: status {status}, same {same}", flush=True)
            if status or not same:
                print(log.read_text(errors="replace")[-2000:], left_behind(project), flush=True)
        print(f"{killed} kills, {different} different, {failed} that need a hand")
    return int(bool(different or failed))


if __name__ == "__main__":
    sys.exit(main())
