"""Which images a folder has, and that no path leaves it."""

import os
import re
import unicodedata
from functools import cached_property
from pathlib import Path, PurePosixPath

from ubg.runtime.faults import quoted

# A backslash parts folders elsewhere; the others cannot be written to a file or shown.
_UNFIT = re.compile("[\\\\\x00-\x1f\x7f-\x9f\ud800-\udfff]")


def check_below(path: str, folder: Path) -> None:
    """Refuse the path of an image that is not below `folder` by its text.

    Raises:
        ValueError: it is absolute, has `..` in it or a character that no path here may hold.
    """
    pure = PurePosixPath(path)
    if _UNFIT.search(path) or pure.is_absolute() or ".." in pure.parts:
        raise ValueError(
            f"image path {quoted(path)} leaves {folder}, or holds a character that no path "
            "here may hold; correct it"
        )


class ImageFolder:
    """The folder of images of a data set. Links in it are followed, wherever they lead.

    DVC, and whoever spares disk, keep images elsewhere and link to them. A path from outside is
    text, and what it names is below the folder by its text.

    Raises:
        ValueError: it is no folder, or a folder in it cannot be listed.
    """

    def __init__(self, folder: Path) -> None:
        if not folder.is_dir():
            raise ValueError(f"{folder}: is not a folder; put the images there")
        self._folder = folder
        self._present = _files_below(folder)

    def spelled(self, path: str) -> str:
        """The path as the disk spells it: an accent may be part of its letter or follow it.

        Raises:
            ValueError: it is no file below the folder; without the name of the record.
        """
        folder = self._folder
        check_below(path, folder)
        if path in self._present:
            return path
        pure = PurePosixPath(path)
        if str(pure) != path:
            raise ValueError(f"image path {quoted(path)} should be {quoted(str(pure))}; correct it")
        if os.path.isfile(folder / path):  # noqa: PTH113 -- a name too long is no error here
            self._present.add(path)  # below a folder that is a link
            return path
        spellings = self._by_composed.get(_composed(path), [])
        if len(spellings) == 1:
            return spellings[0]
        if spellings:
            listed = ", ".join(ascii(spelling) for spelling in spellings)
            raise ValueError(
                f"image {path!a} is in {folder} as {listed}, which look alike; keep one"
            )
        raise ValueError(f"image {quoted(path)} is not in {folder}; put it there")

    @cached_property
    def _by_composed(self) -> dict[str, list[str]]:
        """The paths present that are not plain ASCII, by their composed form."""
        found: dict[str, list[str]] = {}
        for path in sorted(self._present):
            if not path.isascii():
                found.setdefault(_composed(path), []).append(path)
        return found


def _composed(path: str) -> str:
    return unicodedata.normalize("NFC", path)


def _files_below(folder: Path) -> set[str]:
    """Relative paths of all files and of links to files; one scan instead of a call per image."""
    found: set[str] = set()
    prefixes = [""]
    while prefixes:
        prefix = prefixes.pop()
        try:
            with os.scandir(folder / prefix) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        prefixes.append(f"{prefix}{entry.name}/")
                    elif _leads_to_file(entry):
                        found.add(prefix + entry.name)
        except OSError as error:
            raise ValueError(
                f"{folder / prefix}: cannot be listed: {error.strerror}; make it readable"
            ) from None
    return found


def _leads_to_file(entry: "os.DirEntry[str]") -> bool:
    try:
        return entry.is_file()
    except OSError:
        return False  # a link to itself
