"""Which images a folder has, and that none is outside of it."""

import os
import re
from pathlib import Path, PurePosixPath

from ubg.runtime.faults import quoted

# A backslash parts folders elsewhere; the others cannot be written to a file or shown.
_UNFIT = re.compile("[\\\\\x00-\x1f\x7f-\x9f\ud800-\udfff]")


class ImageFolder:
    """The folder of images of a data set.

    Raises:
        ValueError: it is no folder, or a folder in it cannot be listed.
    """

    def __init__(self, folder: Path) -> None:
        if not folder.is_dir():
            raise ValueError(f"{folder}: is not a folder; put the images there")
        self._folder = folder
        self._root = os.path.realpath(folder) + os.sep
        self._present = _files_below(folder)

    def fault(self, path: str) -> str | None:
        """What is wrong with a path: no plain file below the folder, links followed; or None."""
        folder = self._folder
        odd = _UNFIT.search(path) is not None
        if path in self._present and not odd:
            return None
        pure = PurePosixPath(path)
        if odd or pure.is_absolute() or ".." in pure.parts:
            return (
                f"image path {quoted(path)} leaves {folder}, or holds a character that no path "
                "here may hold; correct it"
            )
        if str(pure) != path:
            return f"image path {quoted(path)} should be {quoted(str(pure))}; correct it"
        if not os.path.isfile(folder / path):  # noqa: PTH113 -- a name too long is no error here
            return f"image {quoted(path)} is not in {folder}; put it there"
        if not os.path.realpath(folder / path).startswith(self._root):
            return f"image {quoted(path)} is a link that leaves {folder}; put the file there"
        self._present.add(path)
        return None


def _files_below(folder: Path) -> set[str]:
    """Relative paths of all plain files; one scan instead of a call per image."""
    found: set[str] = set()
    prefixes = [""]
    while prefixes:
        prefix = prefixes.pop()
        try:
            with os.scandir(folder / prefix) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        prefixes.append(f"{prefix}{entry.name}/")
                    elif entry.is_file(follow_symlinks=False):
                        found.add(prefix + entry.name)
        except OSError as error:
            raise ValueError(
                f"{folder / prefix}: cannot be listed: {error.strerror}; make it readable"
            ) from None
    return found
