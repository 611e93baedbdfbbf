"""Which images a folder has, and that no path leaves it, by its text or by a link."""

import os
import re
import unicodedata
from functools import cached_property
from itertools import accumulate
from pathlib import Path, PurePosixPath

from ubg.runtime.faults import quoted

# A backslash parts folders elsewhere; the others cannot be written to a file or shown.
_UNFIT = re.compile("[\\\\\x00-\x1f\x7f-\x9f\ud800-\udfff]")

# An object in a cache of DVC, by its MD5: below files/md5/, and in older caches without that.
_DVC_OBJECT = re.compile(r"/[0-9a-f]{2}/[0-9a-f]{30}\Z")


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


def check_links(path: str, folder: Path) -> None:
    """Refuse an image that lies outside of `folder` by a link, its own or that of a folder above.

    Objects in a cache of DVC are taken, and `folder` may itself be a link.

    Args:
        path: of the image, below `folder` by its text.
        folder: of images.

    Raises:
        ValueError: it leads out; one line names the image and where it leads.
    """
    places = accumulate(path.split("/"), lambda above, name: f"{above}/{name}")
    if not any(os.path.islink(folder / place) for place in places):  # noqa: PTH114 -- cheaper
        return
    target = os.path.realpath(folder / path)
    if Path(target).is_relative_to(os.path.realpath(folder)) or _DVC_OBJECT.search(target):
        return
    raise ValueError(
        f"image {quoted(path)} leads out of {folder} by a link, to {target[:400]!r}; put the image "
        f"itself there, as `cp -rL` does, or make {folder} itself the link"
    )


class ImageFolder:
    """The folder of images of a data set.

    Links are followed within it and to caches of DVC, see `check_links`.

    Raises:
        ValueError: it is no folder, or a folder in it cannot be listed.
    """

    def __init__(self, folder: Path) -> None:
        if not folder.is_dir():
            raise ValueError(f"{folder}: is not a folder; put the images there")
        self._folder = folder
        self._present, self._linked = _files_below(folder)

    def spelled(self, path: str) -> str:
        """The path as the disk spells it: an accent may be part of its letter or follow it.

        Raises:
            ValueError: it is no file below the folder; without the name of the record.
        """
        check_below(path, self._folder)
        found = self._found(path)
        if found in self._linked:
            check_links(found, self._folder)
        return found

    def _found(self, path: str) -> str:
        folder = self._folder
        if path in self._present:
            return path
        pure = PurePosixPath(path)
        if str(pure) != path:
            raise ValueError(f"image path {quoted(path)} should be {quoted(str(pure))}; correct it")
        if os.path.isfile(folder / path):  # noqa: PTH113 -- a name too long is no error here
            self._linked.add(path)  # below a folder that is a link
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


def _files_below(folder: Path) -> tuple[set[str], set[str]]:
    """Relative paths of all files and links to files, and of the latter alone.

    One scan instead of a call per image.
    """
    found: set[str] = set()
    linked: set[str] = set()
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
                        if entry.is_symlink():
                            linked.add(prefix + entry.name)
        except OSError as error:
            raise ValueError(
                f"{folder / prefix}: cannot be listed: {error.strerror}; make it readable"
            ) from None
    return found, linked


def _leads_to_file(entry: "os.DirEntry[str]") -> bool:
    try:
        return entry.is_file()
    except OSError:
        return False  # a link to itself
