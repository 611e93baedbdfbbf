"""Opening of untrusted annotation files, and limits on their records."""

import csv
import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

from ubg.runtime.opening import Kind, check_file

MAX_RECORDS = 5_000_000
MAX_RECORD_CHARACTERS = 2**20

UNREADABLE = (ValueError, RecursionError, csv.Error)  # what reading a record may raise


@contextmanager
def open_text(path: Path) -> Iterator[TextIO]:
    """A file in UTF-8, with a byte order mark or without, its line ends as they are.

    Raises:
        ValueError: it is missing, cannot be read, is no plain file or has too many bytes.
    """
    try:
        check_file(path, Kind.TABLE)
        with path.open(encoding="utf-8-sig", newline="") as file:
            yield file
    except OSError as error:
        raise ValueError(f"{path}: cannot be read: {error.strerror}; put the file there") from None


def check_count(number: int) -> None:
    """Raise ValueError if record `number`, counted from 0, is beyond the records allowed."""
    if number >= MAX_RECORDS:
        raise ValueError(f"is one more than the {MAX_RECORDS:,} records allowed; split the file")


def reason(error: BaseException) -> str:
    """What is wrong where reading a record raised one of `UNREADABLE`, and what to do."""
    if isinstance(error, UnicodeDecodeError):
        return "is not UTF-8 here or soon after; convert the file"
    if isinstance(error, json.JSONDecodeError):
        return f"{error.msg}; the file is truncated or not JSON, fetch it again"
    if isinstance(error, RecursionError):
        return "is nested too deeply; it is no record, fetch the file again"
    if isinstance(error, csv.Error):
        return f"{error}; put a field in double quotes and write a quote within it twice"
    return str(error)


def first_repeated(names: Iterable[str]) -> str | None:
    """The first of `names` that was there before, or None."""
    seen: set[str] = set()
    for name in names:
        if name in seen:
            return name
        seen.add(name)
    return None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) < len(pairs):
        twice = first_repeated(name for name, _ in pairs)
        assert twice is not None
        raise ValueError(f"has the field {twice[:40]!r} twice; keep one")
    return fields


def _integer(digits: str) -> int:
    if len(digits) > 20:
        raise ValueError(f"has a number of {len(digits):,} digits; correct it")
    return int(digits)


# Refuses what the standard decoder accepts: duplicate fields and over-long integers.
RECORD_DECODER = json.JSONDecoder(object_pairs_hook=_object, parse_int=_integer)
