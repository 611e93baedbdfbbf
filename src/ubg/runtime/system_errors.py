"""What the operating system refused, in one line: the file, the reason, what to do."""

import errno
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SPACE = "free some space, or let the outputs lie on another disk, and run the same command again"
PERMISSION = "allow writing there, or read and write elsewhere"
ADVICE = {
    errno.ENOSPC: SPACE,
    errno.EDQUOT: SPACE,
    errno.EFBIG: SPACE,
    errno.EROFS: PERMISSION,
    errno.EACCES: PERMISSION,
    errno.EPERM: PERMISSION,
    errno.EMFILE: "raise the limit of open files (`ulimit -n`)",
    errno.ENOENT: "it was there before, or another run removed it; run the same command again",
}
WRITING = "while writing "  # begins the note of `writing` on an error
MEMORY = "close other programs, or make the batch size or the number of processes smaller"
# How libraries that are not written in Python tell an error of the system.
_NUMBER = re.compile(r"\(os error (\d+)\)|\berrno = (\d+)|^\[Errno (\d+)\]")
_MEMORY = re.compile(
    r"can't allocate memory|out of memory|Unable to allocate|bad_alloc|terminated abruptly"
)


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """An error in this block is told with `path`: that of a full disk names no file."""
    try:
        yield
    except Exception as error:
        error.add_note(f"{WRITING}{path}")
        raise


def told_in_one_line(error: BaseException) -> str | None:
    """What to print for an error of the system; None for an error of the program.

    A RuntimeError that was raised while one of the system was handled counts as that: torch cleans
    up what it could not write, and fails once more.
    """
    causes = [error]
    if isinstance(error, RuntimeError) and (first := error.__cause__ or error.__context__):
        causes.append(first)
    for cause in causes:
        if isinstance(cause, MemoryError) or _MEMORY.search(str(cause)):
            return f"not enough memory, it seems: {_line(cause) or 'none was given'}; {MEMORY}"
        if (number := _number(cause)) is not None:
            file = getattr(cause, "filename", None) or _written(error)
            where = f"{os.fsdecode(file)}: " if isinstance(file, str | bytes) else ""
            advice = ADVICE.get(number, "see to it, and run the same command again")
            return f"{where}{os.strerror(number)}; {advice}"
    return None


def _written(error: BaseException) -> str | None:
    """The output that was being written, the outermost of several."""
    notes = [note for note in getattr(error, "__notes__", ()) if note.startswith(WRITING)]
    return notes[-1].removeprefix(WRITING) if notes else None


def _number(error: BaseException) -> int | None:
    if isinstance(error, OSError) and error.errno is not None:
        return error.errno
    found = _NUMBER.search(str(error))
    return None if found is None else int(next(filter(None, found.groups())))


def _line(error: BaseException) -> str:
    return " ".join(str(error).split())[:200]
