"""Reading of CSV and JSON lines record by record, in bounded memory like `json_list`.

Records are counted from 0; the header of a CSV file and blank lines are not counted.
"""

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, TextIO

from ubg.data.annotations.formats.text_file import (
    MAX_RECORD_CHARACTERS,
    RECORD_DECODER,
    UNREADABLE,
    check_count,
    first_repeated,
    open_text,
    reason,
)


def read_jsonl(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """The objects of a file that has one on each line, with their numbers.

    Raises:
        ValueError: missing, too large, not UTF-8, or a line is too long or no JSON object; the
            message names file and record.
    """
    number = 0
    with open_text(path) as file:
        try:
            lines = _Lines(file)
            for line in lines:
                lines.begin_record()
                if not line.strip(" \t\r\n"):
                    continue
                check_count(number)
                fields = RECORD_DECODER.decode(line)
                if not isinstance(fields, dict):
                    raise ValueError("is not an object; write one {...} on each line")
                yield number, fields
                number += 1
        except UNREADABLE as error:
            raise ValueError(f"{path}, record {number}: {reason(error)}") from None


def read_csv(path: Path, required: Sequence[str]) -> Iterator[tuple[int, dict[str, str]]]:
    """The records of a comma-separated file, with their numbers.

    Args:
        path: its first row names the columns. A field with commas, quotes or line breaks stands in
            double quotes.
        required: columns that have to be there; others may be.

    Raises:
        ValueError: missing, too large, not UTF-8, a column missing or named twice, a record too
            long, badly quoted or with another number of fields; the message names file and record.
    """
    where = "header"
    with open_text(path) as file:
        try:
            lines = _Lines(file)
            rows = csv.reader(lines, strict=True)
            columns = next(rows, [])
            _check_columns(columns, required)
            where = "record 0"
            number = 0
            lines.begin_record()
            for values in rows:
                lines.begin_record()
                if not values:
                    continue
                check_count(number)
                if len(values) != len(columns):
                    raise ValueError(
                        f"has {len(values):,} fields where the header has {len(columns)}; put "
                        "fields with commas or line breaks in double quotes"
                    )
                yield number, dict(zip(columns, values, strict=True))
                number += 1
                where = f"record {number}"
        except UNREADABLE as error:
            raise ValueError(f"{path}, {where}: {reason(error)}") from None


def _check_columns(columns: list[str], required: Sequence[str]) -> None:
    for name in required:
        if name not in columns:
            shown = ", ".join(columns)[:200]
            raise ValueError(
                f"has no column {name!r} but {shown!r}; name the columns in the first row, "
                "with commas between"
            )
    if (twice := first_repeated(columns)) is not None:
        raise ValueError(f"has the column {twice[:40]!r} twice; keep one")


class _Lines:
    """The lines of a file; raises ValueError if a record has too many characters."""

    def __init__(self, file: TextIO) -> None:
        self._file = file
        self._characters = 0

    def begin_record(self) -> None:
        """What follows belongs to the next record."""
        self._characters = 0

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self._file.readline(MAX_RECORD_CHARACTERS + 1)
        if not line:
            raise StopIteration
        self._characters += len(line)
        if self._characters > MAX_RECORD_CHARACTERS:
            raise ValueError(
                f"has more than the {MAX_RECORD_CHARACTERS:,} characters that a record may have; "
                "shorten it or close its quotes"
            )
        return line
