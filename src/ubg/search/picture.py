"""One untrusted picture file: its hash, what it says of itself, its pixels."""

import contextlib
import hashlib
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image

from ubg.data.images.decode import decode_image, open_image
from ubg.runtime.opening import Kind, open_file

TURNED = {5, 6, 7, 8}  # orientations that exchange width and height


@dataclass(frozen=True)
class Picture:
    """What was read of a file; with a `fault`, nothing but what came before it.

    Attributes:
        hash: SHA-256 of its bytes.
        fault: why it is no picture.
        pixels_HWC: upright, at the size of the model; None where they were not asked for.
        width: upright, as stored.
        height: as `width`.
        captured_at: when it was taken, by its EXIF, ISO 8601 without a zone.
    """

    hash: str | None
    fault: str | None = None
    pixels_HWC: NDArray[np.uint8] | None = None
    width: int | None = None
    height: int | None = None
    captured_at: str | None = None


def read_picture(path: Path, height: int, width: int, known_hash: str | None) -> Picture:
    """Read a file; its pixels only where its hash is not the known one."""
    digest = None
    try:
        with open_file(path, Kind.IMAGE) as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            if digest == known_hash:
                return Picture(digest)
            with open_image(file) as image:
                pixels_HWC = decode_image(image, height, width)  # first: EXIF may decode it too
                shown_width, shown_height, captured_at = _facts(image)
    except (ValueError, OSError) as error:
        reason = getattr(error, "strerror", None) or str(error).removeprefix(f"{path}: ")
        return Picture(digest, fault=" ".join(reason.split())[:300])
    return Picture(digest, None, pixels_HWC, shown_width, shown_height, captured_at)


def upright_size(image: Image.Image) -> tuple[int, int]:
    """Width and height of an image as it is shown."""
    turned = _tags(image).get(ExifTags.Base.Orientation) in TURNED
    return image.size[::-1] if turned else image.size


def _facts(image: Image.Image) -> tuple[int, int, str | None]:
    """Width and height upright, and when it was taken; what EXIF says of the place is not read."""
    tags = _tags(image)
    taken = tags.get(ExifTags.Base.DateTimeOriginal) or tags.get(ExifTags.Base.DateTime)
    return *upright_size(image), _iso_time(taken)


def _tags(image: Image.Image) -> dict[int, object]:
    with contextlib.suppress(Exception):  # EXIF that cannot be read says nothing
        exif = image.getexif()
        return {**exif, **exif.get_ifd(ExifTags.IFD.Exif)}
    return {}


def _iso_time(taken: object) -> str | None:
    if taken is None:
        return None
    try:
        return datetime.strptime(str(taken).strip("\0 "), "%Y:%m:%d %H:%M:%S").isoformat()
    except ValueError:
        return None


def open_picture(path: Path) -> Image.Image:
    """A picture file as a query: RGB, upright, in its own size.

    Raises:
        ValueError: it cannot be read, or is too large.
    """
    with open_image(path) as image:
        width, height = upright_size(image)
    return Image.fromarray(decode_image(path, height, width))
