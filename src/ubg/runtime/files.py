"""Outputs that appear whole or not at all, written by one process at a time."""

import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ubg.runtime.locks import locked


@contextmanager
def replace_folder(path: str | Path) -> Iterator[Path]:
    """A fresh folder beside `path` to write to, renamed to `path` when the block ends well.

    An earlier `path` stays untouched until then; on an exception the new folder is removed. What a
    killed process left beside `path` is removed by the next call. A process that is about to write
    the same `path` waits until the block has ended.
    """
    path = Path(path)
    aside = path.with_name(f".{path.name}.partial")
    before = path.with_name(f".{path.name}.before.partial")
    with locked(path):
        shutil.rmtree(aside, ignore_errors=True)
        aside.mkdir()
        try:
            yield aside
            _remove(before)
            if os.path.lexists(path):
                path.rename(before)
            aside.rename(path)
            _remove(before)
        finally:
            shutil.rmtree(aside, ignore_errors=True)


@contextmanager
def replace_file(path: str | Path) -> Iterator[Path]:
    """As `replace_folder`, for a file, which is flushed to the disk first."""
    path = Path(path)
    aside = path.with_name(f".{path.name}.partial")
    with locked(path):
        try:
            yield aside
            with aside.open("rb") as written:
                os.fsync(written.fileno())
            aside.replace(path)
        finally:
            aside.unlink(missing_ok=True)


def write_json(path: str | Path, value: Any) -> None:
    """Write `value` as indented JSON, whole or not at all."""
    with replace_file(path) as aside:
        aside.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def fingerprint(*parts: Any) -> str:
    """Sixteen hexadecimal digits that change when any of the JSON-serialisable `parts` does."""
    text = json.dumps(parts, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def file_fingerprint(path: str | Path) -> str:
    """Sixteen hexadecimal digits of the SHA-256 of a file's bytes."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:16]


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
