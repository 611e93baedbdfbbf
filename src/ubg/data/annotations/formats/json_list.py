"""Reading of JSON lists element by element, so that memory stays small whatever the file holds."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

from ubg.data.annotations.formats.text_file import (
    MAX_RECORD_CHARACTERS,
    RECORD_DECODER,
    UNREADABLE,
    check_count,
    open_text,
    reason,
)

MAX_NAMES = 1_000
MAX_NAME_CHARACTERS = 200

_ALLOWED = f"the {MAX_RECORD_CHARACTERS:,} characters that a record may have"
_REMEDY = "the file is truncated, damaged or of another format, fetch it again"
_SPACE = re.compile(r"[ \t\n\r]*")


def read_json_list(path: Path) -> Iterator[Any]:
    """The elements of the one list that a JSON file holds.

    Raises:
        ValueError: missing, too large, not UTF-8, not a list, truncated, nested too deeply, or an
            object that has a field twice; the message names file and record, counted from 0.
    """
    number = 0
    with open_text(path) as file:
        try:
            window = _Window(file)
            for element in window.elements():
                yield element
                number += 1
            window.end()
        except UNREADABLE as error:
            raise ValueError(f"{path}, record {number}: {reason(error)}") from None


def read_json_lists(path: Path) -> Iterator[tuple[str, int, Any]]:
    """The elements of the lists in the one object that a JSON file holds.

    Returns:
        The name of the list, the number of the element in it, from 0, and the element.

    Raises:
        ValueError: as `read_json_list`; the message names file, list and record.
    """
    where = str(path)
    with open_text(path) as file:
        try:
            window = _Window(file)
            for name in window.names():
                where = f"{path}, list {name!r}, record 0"
                for number, element in enumerate(window.elements()):
                    yield name, number, element
                    where = f"{path}, list {name!r}, record {number + 1}"
            window.end()
        except UNREADABLE as error:
            raise ValueError(f"{where}: {reason(error)}") from None


class _Window:
    """The part of the file that is being decoded."""

    def __init__(self, file: TextIO) -> None:
        self._file = file
        self._text = ""
        self._at = 0
        self._count = 0

    def elements(self) -> Iterator[Any]:
        """The values of the list that begins here."""
        if (first := self._character()) != "[":
            raise ValueError(f"should begin with '[', a list of records, not {first!r}; {_REMEDY}")
        if self._peek() == "]":
            self._character()
            return
        following = ","
        while following == ",":
            check_count(self._count)
            self._count += 1
            value = self._value()
            following = self._character()
            if following not in (",", "]"):
                raise ValueError(f"should be followed by ',' or ']', not {following!r}; {_REMEDY}")
            yield value

    def names(self) -> Iterator[str]:
        """The names in the object that begins here; the caller reads the value after each name.

        The generator continues where the caller has stopped reading.
        """
        if (first := self._character()) != "{":
            raise ValueError(
                f"should begin with '{{', an object of lists of records, not {first!r}; {_REMEDY}"
            )
        if self._peek() == "}":
            self._character()
            return
        seen: set[str] = set()
        following = ","
        while following == ",":
            name = self._name()
            if name in seen:
                raise ValueError(f"has the list {name!r} twice; keep one")
            seen.add(name)
            if len(seen) > MAX_NAMES:
                raise ValueError(f"has more than {MAX_NAMES:,} lists; {_REMEDY}")
            yield name
            following = self._character()
            if following not in (",", "}"):
                raise ValueError(
                    f"list {name!r} should be followed by ',' or '}}', not {following!r}; {_REMEDY}"
                )

    def end(self) -> None:
        """Refuse anything that follows."""
        if self._peek():
            raise ValueError(f"text follows after the list; {_REMEDY}")

    def _name(self) -> str:
        if self._peek() != '"':
            raise ValueError(f"the name of a list should begin with '\"'; {_REMEDY}")
        name: str = self._value()
        if len(name) > MAX_NAME_CHARACTERS:
            raise ValueError(f"the name of a list has {len(name):,} characters; {_REMEDY}")
        if (following := self._character()) != ":":
            raise ValueError(f"{name!r} should be followed by ':', not {following!r}; {_REMEDY}")
        return name

    def _peek(self) -> str:
        """The next character that is not white space; none at the end of the file."""
        while True:
            space = _SPACE.match(self._text, self._at)
            assert space is not None
            self._at = space.end()
            if self._at < len(self._text):
                return self._text[self._at]
            if not self._refill():
                return ""

    def _character(self) -> str:
        """The same, passed over."""
        character = self._peek()
        self._at += len(character)
        return character

    def _value(self) -> Any:
        """The next JSON value, which may begin in this window and end in the following."""
        self._peek()
        while True:
            try:
                value, end = RECORD_DECODER.raw_decode(self._text, self._at)
            except json.JSONDecodeError as error:
                if len(self._text) - self._at > MAX_RECORD_CHARACTERS:
                    raise ValueError(
                        f"{error.msg} (its character {error.pos - self._at:,}) within {_ALLOWED}; "
                        f"{_REMEDY}"
                    ) from None
                if not self._refill():
                    raise
            else:
                if end - self._at > MAX_RECORD_CHARACTERS:
                    raise ValueError(f"does not end within {_ALLOWED}; {_REMEDY}")
                # A number that ends with the window may go on in the following.
                if end == len(self._text) and self._refill():
                    continue
                self._at = end
                return value

    def _refill(self) -> bool:
        more = self._file.read(MAX_RECORD_CHARACTERS)
        self._text, self._at = self._text[self._at :] + more, 0
        return bool(more)
