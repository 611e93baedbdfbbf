"""Shared by all stage scripts: the command line, and one-line messages for faulty input."""

import argparse
import io
import os
import sys
from collections.abc import Callable, Iterable

from ubg.runtime.memory import use_huge_pages

RESTORE = (
    "DVC removed what this stage had written before; `dvc checkout` brings it back, and "
    "`git checkout metrics` what Git keeps"
)


def run_stage(description: str, stage: Callable[[], None]) -> None:
    """Answer `--help`, then run `stage` as `run_script` does."""
    argparse.ArgumentParser(description=description).parse_args()
    run_script(stage)


def run_system_stage(
    description: str, stage: Callable[[str], None], systems: Iterable[str]
) -> None:
    """`run_stage` for a script called with one of `systems`, as in `stages/train.py phase1`."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("system", choices=list(systems))
    system = parser.parse_args().system
    run_script(lambda: stage(system))


def run_systems_stage(
    description: str, stage: Callable[[list[str]], None], systems: Iterable[str]
) -> None:
    """`run_stage` for a script called with some of `systems`, at least one."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("system", nargs="+", choices=list(systems))
    chosen = parser.parse_args().system
    run_script(lambda: stage(chosen))


def run_script(stage: Callable[[], None]) -> None:
    """Run `stage`, whose command line has been parsed, in a process made ready for it."""
    use_huge_pages()
    if isinstance(sys.stdout, io.TextIOWrapper):
        # Messages about a data set may hold characters that the terminal cannot encode.
        sys.stdout.reconfigure(errors="backslashreplace")
    exit_cleanly(stage)


def exit_cleanly(stage: Callable[[], None]) -> None:
    """Run `stage`; a ValueError, which says what is wrong with the input, ends it with status 1.

    DVC removes the outputs of a stage before it runs it, and does not bring them back.
    """
    try:
        stage()
    except ValueError as error:
        restore = f"\n{RESTORE}" if "DVC_STAGE" in os.environ else ""
        sys.exit(f"error: {error}{restore}")
