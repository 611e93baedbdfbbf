"""The picture files below a folder, without opening any."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".gif")


@dataclass(frozen=True, slots=True)
class Found:
    """A file as the tree has it.

    Attributes:
        path: below the folder, with "/".
        size: bytes.
        modified_ns: nanoseconds since the epoch.
    """

    path: str
    size: int
    modified_ns: int


@dataclass(frozen=True)
class Tree:
    """What was found below a folder.

    Attributes:
        files: by path.
        unreadable: what cannot be named or listed, with the reason.
    """

    files: list[Found]
    unreadable: list[tuple[str, str]]


def walk(folder: Path, exclude: Sequence[str]) -> Tree:
    """The picture files below `folder`; what is hidden, excluded or a link is left out.

    Args:
        folder: is there.
        exclude: patterns as in a shell, for a name or for a path below the folder; an excluded
            folder is not entered.
    """
    files: list[Found] = []
    unreadable: list[tuple[str, str]] = []
    waiting = [""]
    while waiting:
        below = waiting.pop()
        try:
            with os.scandir(folder / below) as entries:
                for entry in entries:
                    path = f"{below}{entry.name}"
                    if entry.name.startswith(".") or _excluded(entry.name, path, exclude):
                        continue
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(f"{path}/")
                    elif _is_picture(entry):
                        _add(entry, path, files, unreadable)
        except OSError as error:
            unreadable.append((below or ".", error.strerror or str(error)))
    return Tree(sorted(files, key=lambda found: found.path), unreadable)


def _is_picture(entry: os.DirEntry[str]) -> bool:
    return entry.name.lower().endswith(SUFFIXES) and entry.is_file(follow_symlinks=False)


def _add(
    entry: os.DirEntry[str], path: str, files: list[Found], unreadable: list[tuple[str, str]]
) -> None:
    try:
        path.encode()
    except UnicodeEncodeError:
        shown = os.fsencode(path).decode(errors="backslashreplace")
        unreadable.append((shown, "its name is no UTF-8; rename it"))
        return
    try:
        facts = entry.stat(follow_symlinks=False)
    except FileNotFoundError:  # between the listing and now
        return
    files.append(Found(path, facts.st_size, facts.st_mtime_ns))


def _excluded(name: str, path: str, exclude: Sequence[str]) -> bool:
    return any(fnmatchcase(name, pattern) or fnmatchcase(path, pattern) for pattern in exclude)
