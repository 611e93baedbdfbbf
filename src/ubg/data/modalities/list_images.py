"""Which images of a modality there are, by the folders that they lie in."""

import os
import re
from pathlib import Path

from ubg.data.annotations.image_folder import ImageFolder
from ubg.runtime.faults import Faults, quoted

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".gif")
_PERSON = re.compile("[0-9]{4}")


def list_images(
    root: Path, modality: str, images: ImageFolder, faults: Faults
) -> dict[int, list[str]]:
    """The images of each person, relative to `root`. The folder names the person.

    Files that are no images by their names are passed over.

    Args:
        root: the folder of images of a data set.
        modality: a folder in it, which holds one of four digits for each person.
        images: the images below `root`.
        faults: what cannot be used is added to them: other names of folders, characters that no
            path may hold, a modality without an image.

    Raises:
        ValueError: there is no such folder, or it cannot be listed.
    """
    found: dict[int, list[str]] = {}
    for person in _entries(root / modality):
        if not person.is_dir():
            continue
        if _PERSON.fullmatch(person.name) is None:
            faults.add(
                f"{root / modality}: the folder {quoted(person.name)} should have four digits for "
                "a name; rename it after its person or remove it"
            )
            continue
        for file in _entries(Path(person.path)):
            if not file.name.lower().endswith(SUFFIXES):
                continue
            try:
                path = images.spelled(f"{modality}/{person.name}/{file.name}")
            except ValueError as fault:
                faults.add(str(fault))
            else:
                found.setdefault(int(person.name), []).append(path)
    if not found:
        faults.add(f"{root / modality}: has no image of anybody; put the images there")
    return found


def _entries(folder: Path) -> list["os.DirEntry[str]"]:
    try:
        with os.scandir(folder) as entries:
            return sorted(entries, key=lambda entry: entry.name)
    except OSError as error:
        raise ValueError(
            f"{folder}: cannot be listed: {error.strerror}; put the images of the modality there, "
            "in a folder for each person"
        ) from None
