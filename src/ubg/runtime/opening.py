"""How a file from outside is opened: a regular one, of no more bytes than its kind may have.

Every reader of such a file comes here first, also where a library opens it by its path. A named
pipe would keep a reader waiting, a device would never end, and a folder has its own errors.
"""

import json
import math
import os
import stat
from enum import IntEnum
from io import BufferedReader
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray

NESTED = 32  # lists and objects within each other in a JSON file


class Kind(IntEnum):
    """What a file is to hold; its value is the most bytes that one may have."""

    CONFIG = 2**20  # JSON or YAML that describes something: a model, a pack, params
    TABLE = 2**30  # rows of text: annotations, queries, cases
    VOCABULARY = 2**26  # of a tokenizer
    IMAGE = 2**28
    CODES = 2**32
    ARRAY = 2**32  # of a number for each image or caption
    WEIGHTS = 2**37
    PACK = 2**43


def check_file(path: Path, kind: Kind) -> int:
    """The size in bytes of a file that may be opened.

    Raises:
        OSError: there is none, or it cannot be looked at.
        ValueError: it is not regular, or too large; one line with the path.
    """
    found = path.stat()
    if not stat.S_ISREG(found.st_mode):
        raise ValueError(f"{path}: is not a file; put the right one there")
    if found.st_size > kind:
        size = f"{found.st_size:,} bytes, more than {kind.value:,}"
        raise ValueError(f"{path}: has {size}; split it, or correct the path")
    return found.st_size


def open_file(path: Path, kind: Kind, flags: int = 0) -> BufferedReader:
    """A file to read, with more `flags` of `os.open`; raises as `check_file`."""
    check_file(path, kind)
    # What takes the file's place in between is not waited for.
    more = os.O_NONBLOCK | os.O_CLOEXEC | flags
    return open(path, "rb", opener=lambda path, flags: os.open(path, flags | more))


def read_bytes(path: Path, kind: Kind) -> bytes:
    """The content of a file; raises as `check_file`."""
    with open_file(path, kind) as file:
        return file.read(kind)


def read_text(path: Path, kind: Kind) -> str:
    """The content of a file in UTF-8; raises as `check_file`."""
    return read_bytes(path, kind).decode("utf-8")


def read_json(path: Path) -> dict[str, Any]:
    """The object in a small JSON file: finite numbers, no deep nesting.

    Raises:
        OSError: there is no file.
        ValueError: it is not regular, too large, or no such object.
    """
    try:
        values = parse_json(read_text(path, Kind.CONFIG))
    except ValueError as error:
        reason = str(error).removeprefix(f"{path}: ")[:300]
        raise ValueError(f"{path}: cannot be read as JSON: {reason}") from None
    if not isinstance(values, dict):
        raise ValueError(f"{path}: is not a JSON object; give the model's own file")
    return values


def parse_json(text: str) -> Any:
    """The value that a text in JSON has: finite numbers, no deep nesting.

    Raises:
        ValueError: it is no such text; does not say whose.
    """
    try:
        values = json.loads(text, parse_constant=_refuse_constant)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    _check_nesting(values)
    return values


def read_array(path: Path) -> "NDArray[Any]":
    """An array that NumPy saved, on the disk until it is asked for.

    Raises:
        OSError: there is no file.
        ValueError: it is not regular, too large, or no such array.
    """
    import numpy as np

    check_file(path, Kind.ARRAY)
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except Exception as error:  # a damaged header is parsed as Python, and fails as that does
        raise ValueError(f"{path}: no array that NumPy saved without objects") from error
    if not isinstance(array, np.ndarray):
        raise ValueError(f"{path}: no array that NumPy saved, but several")
    return array


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no number that JSON has")


def _check_nesting(value: Any, depth: int = 0) -> None:
    if depth > NESTED:
        raise ValueError(f"it is nested more than {NESTED} deep")
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError("a number is too large")
    if isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            _check_nesting(inner, depth + 1)
