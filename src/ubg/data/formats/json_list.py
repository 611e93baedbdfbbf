"""Reading of a JSON list element by element, so that memory stays small whatever the file holds."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

MAX_FILE_BYTES = 2**30
MAX_ELEMENT_CHARACTERS = 2**20
MAX_DIGITS = 20

_ALLOWED = f"the {MAX_ELEMENT_CHARACTERS:,} characters that a record may have"
_SPACE = re.compile(r"[ \t\n\r]*")


def read_json_list(path: Path) -> Iterator[Any]:
    """The elements of the one list that a JSON file holds.

    Raises:
        ValueError: missing, too large, not UTF-8, not a list, truncated, nested too deeply, or an
            object that has a field twice; the message names file and record, counted from 0.
    """
    try:
        size = path.stat().st_size
        if not path.is_file():
            raise ValueError(f"{path}: is not a file; put the annotations there")
        if size > MAX_FILE_BYTES:
            raise ValueError(f"{path}: has {size:,} bytes, more than {MAX_FILE_BYTES:,}; split it")
        with path.open(encoding="utf-8-sig", newline="") as file:
            yield from _elements(path, file)
    except OSError as error:
        raise ValueError(f"{path}: cannot be read: {error.strerror}; put the file there") from None


def _elements(path: Path, file: TextIO) -> Iterator[Any]:
    window = _Window(file)
    number = 0
    try:
        if (first := window.character()) != "[":
            raise ValueError(f"the file should begin with '[', a list of records, not {first!r}")
        more = window.peek() != "]"
        while more:
            yield window.element()
            following = window.character()
            if following not in (",", "]"):
                raise ValueError(f"should be followed by ',' or ']', not {following!r}")
            more = following == ","
            number += 1
        if number and window.peek():
            raise ValueError("text follows after the list")
    except UnicodeDecodeError:
        fault = "is not UTF-8 here or soon after; convert the file"
    except json.JSONDecodeError as error:
        fault = f"{error.msg}; the file is truncated or not JSON, fetch it again"
    except RecursionError:
        fault = "is nested too deeply"
    except ValueError as error:
        fault = f"{error}; the file is truncated, damaged or of another format"
    else:
        return
    raise ValueError(f"{path}, record {number}: {fault}")


class _Window:
    """The part of the file that is being decoded."""

    def __init__(self, file: TextIO) -> None:
        self._file = file
        self._text = ""
        self._at = 0
        self._decoder = json.JSONDecoder(object_pairs_hook=_object, parse_int=_integer)

    def peek(self) -> str:
        """The next character that is not white space; none at the end of the file."""
        while True:
            space = _SPACE.match(self._text, self._at)
            assert space is not None
            self._at = space.end()
            if self._at < len(self._text):
                return self._text[self._at]
            if not self._refill():
                return ""

    def character(self) -> str:
        """The same, passed over."""
        character = self.peek()
        self._at += 1
        return character

    def element(self) -> Any:
        """The next JSON value, which may begin in this window and end in the following."""
        self.peek()
        while True:
            try:
                value, end = self._decoder.raw_decode(self._text, self._at)
            except json.JSONDecodeError as error:
                if len(self._text) - self._at > MAX_ELEMENT_CHARACTERS:
                    raise ValueError(f"{error.msg} within {_ALLOWED}") from None
                if not self._refill():
                    raise
            else:
                if end - self._at > MAX_ELEMENT_CHARACTERS:
                    raise ValueError(f"does not end within {_ALLOWED}")
                self._at = end
                return value

    def _refill(self) -> bool:
        more = self._file.read(MAX_ELEMENT_CHARACTERS)
        self._text, self._at = self._text[self._at :] + more, 0
        return bool(more)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"has the field {twice[:40]!r} twice")
    return fields


def _integer(digits: str) -> int:
    if len(digits) > MAX_DIGITS:
        raise ValueError(f"has a number of {len(digits):,} digits")
    return int(digits)
