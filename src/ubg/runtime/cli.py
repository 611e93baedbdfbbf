"""Shared by all stage scripts: the command line, and one-line messages for faulty input."""

import argparse
import io
import os
import select
import signal
import sys
import threading
from collections.abc import Callable, Iterable
from types import FrameType

from ubg.runtime.costs import measured
from ubg.runtime.memory import use_huge_pages
from ubg.runtime.system_errors import told_in_one_line

RERUN = "run the same command again to go on from here"
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
    exit_cleanly(lambda: measured(stage))


def exit_cleanly(stage: Callable[[], None]) -> None:
    """Run `stage`; what ends it early is told in one line, with the status that shells expect.

    A ValueError, which says what is wrong with the input, or an error of the system gives 1, Ctrl-C
    130, SIGTERM 143. A reader of standard output that has left, as `| head` does, gives 141 without
    a line. DVC removes the outputs of a stage before it runs it, and does not bring them back.
    """
    _end_on_signals()
    try:
        stage()
        print(end="", flush=True)  # here, where it may fail, and not as the interpreter exits
    except ValueError as error:
        sys.exit(f"error: {error}{_restore()}")
    except KeyboardInterrupt as stop:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # said once
        kind = signal.SIGTERM if isinstance(stop, Terminated) else signal.SIGINT
        if "LOCAL_RANK" not in os.environ:  # the process that launched this one says it
            print(f"\nstopped by {kind.name}; {RERUN}{_restore()}", file=sys.stderr)
        sys.exit(128 + kind)
    except Exception as error:
        nobody_reads = isinstance(error, BrokenPipeError) and _reader_has_left()
        _drop_unwritten()
        if nobody_reads:
            sys.exit(128 + signal.SIGPIPE)
        line = told_in_one_line(error)
        if line is None:
            raise
        sys.exit(f"error: {line}{_restore()}")
    finally:
        _die_on_signals()


class Terminated(KeyboardInterrupt):
    """SIGTERM ends a stage as Ctrl-C does: what is written aside is removed, locks are given up."""


def _end_on_signals() -> None:
    own = os.getpid()

    def end(number: int, frame: FrameType | None) -> None:
        if os.getpid() != own:  # a process that was forked has nothing to clean up
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
            return
        signal.signal(number, signal.SIG_IGN)
        # Other threads find processes gone that got the same signal, which is no news.
        threading.excepthook = lambda details: None
        raise Terminated if number == signal.SIGTERM else KeyboardInterrupt

    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, end)
        if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # not in the background
            signal.signal(signal.SIGINT, end)


def _die_on_signals() -> None:
    """All is said: an exception of ours would break into what the interpreter does as it exits."""
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGTERM, signal.SIGINT):
            if callable(signal.getsignal(number)):
                signal.signal(number, signal.SIG_DFL)


def _reader_has_left() -> bool:
    """Whether standard output is a pipe that nobody reads; else it was another pipe that broke."""
    output = select.poll()
    output.register(sys.stdout, 0)  # a pipe without a reader is reported unasked
    return any(event & select.POLLERR for _, event in output.poll(0))


def _drop_unwritten() -> None:
    """What standard output does not take would be told of once more while the interpreter exits."""
    try:
        print(end="", flush=True)
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _restore() -> str:
    return f"\n{RESTORE}" if "DVC_STAGE" in os.environ else ""
