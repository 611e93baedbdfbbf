"""What every stage script shares: one line instead of a traceback when the input is at fault."""

import argparse
import io
import os
import sys
from collections.abc import Callable, Iterable


def run_stage(description: str, stage: Callable[[], None]) -> None:
    """Answer `--help`, run `stage`, and turn its ValueError into `error: ...` and exit status 1."""
    argparse.ArgumentParser(description=description).parse_args()
    exit_cleanly(stage)


def run_system_stage(
    description: str, stage: Callable[[str], None], systems: Iterable[str]
) -> None:
    """`run_stage` for a script called with one of `systems`, as in `stages/train.py phase1`."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("system", choices=list(systems))
    system = parser.parse_args().system
    exit_cleanly(lambda: stage(system))


def run_systems_stage(
    description: str, stage: Callable[[list[str]], None], systems: Iterable[str]
) -> None:
    """`run_stage` for a script called with some of `systems`, at least one."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("system", nargs="+", choices=list(systems))
    chosen = parser.parse_args().system
    exit_cleanly(lambda: stage(chosen))


def exit_cleanly(stage: Callable[[], None]) -> None:
    """Run `stage`; a ValueError, which says what is wrong with the input, ends it with status 1."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        # What is told of a data set may hold characters that the terminal does not know.
        sys.stdout.reconfigure(errors="backslashreplace")
    # For torch, which has not been imported yet: its tensors come and go with each step, and it
    # takes time to map them in pages of 4 KiB.
    os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")
    try:
        stage()
    except ValueError as error:
        sys.exit(f"error: {error}")
