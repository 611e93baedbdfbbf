"""Kills every stage, or `dvc repro`, at random moments and at file events; compares the bytes.

No test of pytest: it takes as long as it is told. From the root of the repository:

    python tests/kill_harness.py --kills 200 --in-a-row 3
    python tests/kill_harness.py --kills 20 --only train_irra evaluate_phase4
    python tests/kill_harness.py --kills 20 --only repro --through train_irra

Each kill is by SIGKILL, of the stage and all that it started, in a small project whose outputs are
known. Then the same command runs again, to be killed again or to its end: all that the stage writes
must be the bytes of an uninterrupted run, and nothing may be left beside it. Exits with status 1
where that is not so.
"""

import argparse
import os
import random
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tiny_project import DRAWN, write_code

from ubg.runtime.pipeline import read_stages

WRITTEN = ("data", "models", "metrics", "plots", "checkpoints")
TINIEST = {
    r"epochs: \d+\n  batch_size: 64": "epochs: 2\n  batch_size: 8",
    r"training: \{epochs: \d+, batch_size: \d+": "training: {epochs: 2, batch_size: 8",
    "height: 192, width: 64": "height: 64, width: 32",
    r" width: 128": " width: 32",
    r" mlp_width: 256": " mlp_width: 64",
    r" channels: 64\b": " channels: 32",
    "embedding_dim: 256": "embedding_dim: 32",
}
OTHER = {"params.yaml": {r"evaluate_on: \[\]": "evaluate_on: [synthpedes_outfits]"}}
# The page tells when it was made, and what its stages took.
OF_THEIR_TIME = ("plots/report",)


@dataclass(frozen=True)
class Stage:
    """A command of the pipeline, and what DVC removes before it runs it.

    Attributes:
        name: as DVC has it.
        command: for a shell.
        outs: paths that it writes.
        known: paths that DVC would take finished stages from.
    """

    name: str
    command: str
    outs: tuple[str, ...]
    known: tuple[str, ...] = ()


def stages(project: Path) -> list[Stage]:
    """Every stage in the order of the file, but none before those whose outputs it reads."""
    waiting, ordered = list(read_stages(project).values()), []
    while waiting:
        unmade = [Path(out) for one in waiting for out in one.outs]
        ready = next(one for one in waiting if not any(map(partial(_reads, one.deps), unmade)))
        waiting.remove(ready)
        ordered.append(Stage(ready.name, ready.command, ready.outs))
    return ordered


def _reads(deps: Sequence[str], out: Path) -> bool:
    """Whether a dependency is that output, or one lies in the other."""
    return any(Path(dep).is_relative_to(out) or out.is_relative_to(dep) for dep in deps)


def whole(single: list[Stage]) -> Stage:
    """All of them under DVC, which keeps what is finished."""
    outs = tuple(out for stage in single for out in stage.outs)
    command = f"python -m dvc repro {' '.join(stage.name for stage in single)}"
    return Stage("repro", command, outs, ("dvc.lock", ".dvc/cache", ".dvc/tmp"))


def start(project: Path, stage: Stage, log: Path) -> subprocess.Popen[bytes]:
    """The stage in a session of its own, so that what it starts can be killed with it."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    with log.open("ab") as told:
        return subprocess.Popen(
            ["env", *shlex.split(stage.command)],  # it begins with a variable
            cwd=project,
            env=os.environ | {"PATH": path, "PYTHONPATH": "src", "OMP_NUM_THREADS": "1"},
            stdout=told,
            stderr=told,
            start_new_session=True,
        )


def content(project: Path, stage: Stage) -> dict[str, bytes]:
    """The bytes of all that the stage wrote."""
    files = {}
    for out in stage.outs:
        for path in [project / out, *(project / out).rglob("*")]:
            name = path.relative_to(project).as_posix()
            if path.is_file():
                files[name] = b"" if name.startswith(OF_THEIR_TIME) else path.read_bytes()
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
        for folder, _, files in os.walk(project / name):
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


def counter() -> Callable[[Path], int]:
    """Counts how often files have changed, as far as it is asked."""
    seen: list[frozenset[tuple[str, int]]] = []

    def count(project: Path) -> int:
        now = snapshot(project)
        if not seen or seen[-1] != now:
            seen.append(now)
        return len(seen) - 1

    return count


def at_event(number: int) -> Callable[[Path], bool]:
    """When files have changed for the `number`-th time."""
    count = counter()
    return lambda project: count(project) >= number


def kill(project: Path, stage: Stage, moment: Callable[[Path], bool], log: Path) -> bool:
    """Run the stage and kill it when the moment comes; whether it came before the end."""
    process = start(project, stage, log)
    while not moment(project):
        if process.poll() is not None:
            return False
        time.sleep(0.005)
    os.killpg(process.pid, signal.SIGKILL)
    return process.wait() == -signal.SIGKILL  # else it had ended by then


def finish(project: Path, stage: Stage, log: Path) -> tuple[float, int]:
    """Run the stage to its end; the seconds that it took, and how often files changed."""
    began, count, events = time.monotonic(), counter(), 0
    process = start(project, stage, log)
    while process.poll() is None:
        events = count(project)
        time.sleep(0.005)
    if process.returncode:
        sys.exit(log.read_text(errors="replace")[-3000:])
    print(f"{stage.name}: {time.monotonic() - began:.0f} s, {events} events", flush=True)
    return time.monotonic() - began, events


def forget(project: Path, stage: Stage) -> None:
    """Remove what the stage wrote, as DVC does before it runs it."""
    for out in (*stage.outs, *stage.known):
        path = project / out
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)


def in_turn(wanted: list[Stage], draw: random.Random) -> Iterator[Stage]:
    """The stages in random order, and again."""
    while True:
        yield from draw.sample(wanted, len(wanted))


def main() -> int:
    """Make the outputs once, then kill and compare."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--kills", type=int, default=30)
    parser.add_argument("--in-a-row", type=int, default=1, help="tries before the last rerun")
    parser.add_argument("--minutes", type=float, default=600, help="ends by then")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", nargs="*", help="names of stages; repro for the whole")
    parser.add_argument("--through", help="the stage of dvc.yaml with which the pipeline ends")
    chosen = parser.parse_args()
    draw, end = random.Random(chosen.seed), time.monotonic() + 60 * chosen.minutes
    with tempfile.TemporaryDirectory(prefix="kills-") as folder:
        project, log = Path(folder) / "project", Path(folder) / "log"
        write_code(project, DRAWN | OTHER, TINIEST)
        subprocess.run([sys.executable, "-m", "dvc", "init", "--no-scm", "-q"], cwd=project)
        single = stages(project)
        names = [stage.name for stage in single]
        single = single[: names.index(chosen.through) + 1 if chosen.through else None]
        wanted = [s for s in (*single, whole(single)) if not chosen.only or s.name in chosen.only]
        needed = max(single.index(s) if s in single else len(single) - 1 for s in wanted)
        for stage in single[: needed + 1]:
            finish(project, stage, log)
        expected = {stage.name: content(project, stage) for stage in wanted}
        usual: dict[str, tuple[float, int]] = {}

        killed = runs = different = failed = 0
        for stage in in_turn(wanted, draw):
            if killed >= chosen.kills or time.monotonic() > end:
                break
            forget(project, stage)
            if stage.name not in usual:  # what it takes once everything is compiled
                usual[stage.name] = finish(project, stage, log)
                forget(project, stage)
            seconds, events = usual[stage.name]
            how = []
            for _ in range(chosen.in_a_row):
                by_time = draw.random() < 0.5
                moment = (
                    at_moment(draw.uniform(0.1, 0.8) * seconds)
                    if by_time
                    else at_event(draw.randint(1, max(1, events)))
                )
                if kill(project, stage, moment, log):
                    how.append("time" if by_time else "file event")
            killed, runs = killed + len(how), runs + 1
            status = start(project, stage, log).wait()
            failed += status != 0
            now, left = content(project, stage), left_behind(project)
            wrong = [name for name, old in expected[stage.name].items() if now.get(name) != old]
            wrong += sorted(now.keys() - expected[stage.name].keys())
            different += bool(wrong or left)
            print(f"{killed} {stage.name} by {', '.join(how)}: status {status}", flush=True)
            if status or wrong or left:
                print(log.read_text(errors="replace")[-2000:], wrong, left, flush=True)
        print(f"{killed} kills, {runs} ends, {different} different, {failed} that need a hand")
    return int(bool(different or failed))


if __name__ == "__main__":
    sys.exit(main())
