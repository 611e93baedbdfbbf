"""Outputs written atomically, by one process at a time."""

import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from secrets import token_hex
from typing import Any

from ubg.runtime.locks import locked
from ubg.runtime.opening import Kind, open_file
from ubg.runtime.system_errors import writing


@contextmanager
def replace_folder(path: str | Path) -> Iterator[Path]:
    """A fresh folder beside `path` to write to, renamed to `path` when the block ends well.

    An earlier `path` stays untouched until then; on an exception the new folder is removed. What a
    killed process left beside `path` is removed by the next call. A process that is about to write
    the same `path` waits until the block has ended.
    """
    path = Path(path)
    with _place_beside(path) as aside:
        aside.mkdir()
        yield aside
        before = _name_beside(path)
        with suppress(FileNotFoundError):
            path.rename(before)
        aside.rename(path)
        _delete(before)


@contextmanager
def replace_file(path: str | Path) -> Iterator[Path]:
    """As `replace_folder`, for a file, which is flushed to the disk first."""
    path = Path(path)
    with _place_beside(path) as aside:
        yield aside
        with aside.open("rb") as written:
            os.fsync(written.fileno())
        aside.replace(path)


def require_space(path: Path, wanted: int) -> None:
    """Refuse to begin a long run for whose output there is no room.

    Args:
        path: of the output, which need not exist.
        wanted: bytes that it takes, with what is written aside meanwhile.

    Raises:
        ValueError: nobody may write there, or the disk has less left.
    """
    place = next(folder for folder in path.absolute().parents if folder.is_dir())
    if not os.access(place, os.W_OK):
        raise ValueError(f"{path}: cannot be written, {place} is read-only; allow writing there")
    free = shutil.disk_usage(place).free
    if free < wanted:
        raise ValueError(
            f"{path}: needs {wanted:,} bytes on the disk, which has {free:,} left; free some space"
        )


def remove(path: Path) -> None:
    """Remove a file or folder, if there is one; killed in between, all of it is there or nothing.

    It is renamed away first, to a name that `sweep` knows.
    """
    gone = _name_beside(path)
    with suppress(FileNotFoundError):
        path.rename(gone)
        _delete(gone)


def sweep(path: Path) -> None:
    """Delete what killed processes left of `path` beside it; for who alone writes it."""
    leftover = re.compile(rf"\.{re.escape(path.name)}\.[0-9a-f]{{16}}\.partial")
    for other in path.parent.iterdir():
        if leftover.fullmatch(other.name):
            _delete(other)


@contextmanager
def _place_beside(path: Path) -> Iterator[Path]:
    """A name to write to that nobody else uses; what has that name afterwards is deleted."""
    with locked(path) as lock:
        if lock.is_held:  # without locks, another process may be at work on what lies there
            sweep(path)
        aside = _name_beside(path)
        try:
            with writing(path):
                yield aside
        finally:
            _delete(aside)


def _name_beside(path: Path) -> Path:
    return path.with_name(f".{path.name}.{token_hex(8)}.partial")


def beside(folder: Path, ending: str) -> Path:
    """What lies beside a folder and is named like it, with an ending; "." has a name here too."""
    if folder.name in ("", ".."):
        folder = folder.resolve()
    return folder.with_name(folder.name + ending)


def write_json(path: str | Path, value: Any) -> None:
    """Write `value` as indented JSON, atomically."""
    with replace_file(path) as aside:
        aside.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def fingerprint(*parts: Any) -> str:
    """Sixteen hexadecimal digits that change when any of the JSON-serialisable `parts` does."""
    text = json.dumps(parts, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def file_fingerprint(path: str | Path) -> str:
    """Sixteen hexadecimal digits of the SHA-256 of a file's bytes; raises as `check_file`."""
    with open_file(Path(path), Kind.WEIGHTS) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:16]


def _delete(path: Path) -> None:
    """Delete a file or folder that is of no more use; one that cannot be deleted is left."""
    with suppress(FileNotFoundError, PermissionError):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink()
