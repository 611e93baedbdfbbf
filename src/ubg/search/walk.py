"""The picture files below a folder, without opening any."""

import os
import stat
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
        closed: folders that cannot be listed, with "/" at the end, and the reason.
        left_out: what has the name of a picture and is not looked into, and the reason.
    """

    files: list[Found]
    closed: list[tuple[str, str]]
    left_out: list[tuple[str, str]]


def walk(folder: Path, exclude: Sequence[str]) -> Tree:
    """The picture files below `folder`; what is hidden or excluded is left out without a word.

    Args:
        folder: is there.
        exclude: patterns as in a shell, for a name or for a path below the folder; an excluded
            folder is not entered. One with "/" at the end is for folders alone.
    """
    tree = Tree([], [], [])
    waiting = [""]
    while waiting:
        below = waiting.pop()
        try:
            with os.scandir(folder / below) as entries:
                for entry in entries:
                    path = f"{below}{entry.name}"
                    is_folder = entry.is_dir(follow_symlinks=False)
                    if entry.name.startswith(".") or _excluded(path, is_folder, exclude):
                        continue
                    if is_folder:
                        waiting.append(f"{path}/")
                    elif entry.name.lower().endswith(SUFFIXES):
                        _add(entry, path, tree)
        except OSError as error:
            tree.closed.append((below, error.strerror or str(error)))
    tree.files.sort(key=lambda found: found.path)
    return tree


def _add(entry: os.DirEntry[str], path: str, tree: Tree) -> None:
    try:
        path.encode()
    except UnicodeEncodeError:
        shown = os.fsencode(path).decode(errors="backslashreplace")
        tree.left_out.append((shown, "its name is no UTF-8; rename it"))
        return
    try:
        facts = entry.stat(follow_symlinks=False)
    except FileNotFoundError:  # between the listing and now
        return
    if stat.S_ISREG(facts.st_mode):
        tree.files.append(Found(path, facts.st_size, facts.st_mtime_ns))
    else:
        kind = "a link" if stat.S_ISLNK(facts.st_mode) else "a pipe, socket or device"
        tree.left_out.append((path, f"it is {kind}; copy the file itself there"))


def _excluded(path: str, is_folder: bool, exclude: Sequence[str]) -> bool:
    meant = [one.rstrip("/") for one in exclude if is_folder or not one.endswith("/")]
    names = path.rpartition("/")[2], path
    return any(fnmatchcase(name, pattern) for pattern in meant for name in names)
