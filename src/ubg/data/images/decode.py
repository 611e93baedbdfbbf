"""Decoding of an untrusted image file to pixels of a given size."""

import io
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from ubg.runtime.opening import Kind, open_file

MAX_PIXELS = 50_000_000  # with transparency they take a gigabyte while they are decoded
MAX_SIDE = 2**15
MAX_WORK = 10**9  # pixels of all scans of a JPEG, which read no file in between: ten seconds
SECONDS = 8  # of the processor, within which a file is read
SCAN_BYTES = 10
LARGE_PIXELS = 4_000_000
FORMATS = ("JPEG", "PNG", "BMP", "WEBP", "GIF")

Source = str | Path | bytes | io.BufferedReader  # the path of a file, its content, or it, opened

# Threads decode in parallel, and decoding an image of `MAX_PIXELS` takes a gigabyte.
_one_large_at_a_time = threading.Lock()


def decode_image(
    source: Source | Image.Image, height: int, width: int, channels: int = 3
) -> NDArray[np.uint8]:
    """Pixels, uint8 [height, width, channels], turned upright by EXIF and resized bicubically.

    With 3 channels they are RGB, with 1 grey: the luma of what the file has in colour (ITU-R 601).
    What is transparent becomes white. Grey of 16 bits is cut to 8; of PIL's mode "I", which does
    not say how many bits it has, an image of values up to 255 has 8.

    Raises:
        ValueError: as `open_image`, or the image is truncated, or a picture holds fractions.
    """
    opened = nullcontext(source) if isinstance(source, Image.Image) else open_image(source)
    with opened as image:
        large = image.width * image.height > LARGE_PIXELS
        with _one_large_at_a_time if large else nullcontext():
            return _pixels(image, height, width, channels)


def read_header(source: str | Path) -> tuple[int, int, str]:
    """Width and height in pixels, as stored, and the format; no pixel is decoded.

    Raises:
        ValueError: as `open_image`.
    """
    with open_image(source) as image:
        return image.width, image.height, str(image.format)


@contextmanager
def open_image(source: Source) -> Iterator[Image.Image]:
    """An image file, or its content, of which the header alone has been read.

    A file that `open_file` opened stays open.

    Raises:
        ValueError: the file cannot be read, is no image, or is larger than allowed, in bytes,
            pixels, one side, scans of a JPEG, or the time that reading takes; path and reason are
            named. What PIL raises within the block becomes one too.
    """
    opened: AbstractContextManager[BinaryIO]
    name = "image" if isinstance(source, bytes) else str(source)
    try:
        if isinstance(source, bytes):
            opened = io.BytesIO(source)
        elif isinstance(source, io.BufferedReader):
            name, opened = str(source.name), nullcontext(source)
        else:
            opened = open_file(Path(source), Kind.IMAGE)
        with opened as content:
            if content.seek(0, os.SEEK_END) == 0:
                raise ValueError("has no bytes")
            content.seek(0)
            file = io.BufferedReader(_WithinTime(content), 2**16)
            with Image.open(file, formats=FORMATS) as image:
                _check_size(image, content)
                yield image
                return
    except Image.UnidentifiedImageError:
        reason = f"is no image of a known format ({', '.join(FORMATS)})"
    except Image.DecompressionBombError as error:
        reason = f"is too large: {error}"
    except Exception as error:
        # What PIL raises on damaged files is not the same in any two formats.
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        reason = reason.removeprefix(f"{name}: ")[:300]
    raise ValueError(f"{name}: {reason}")


class _WithinTime(io.RawIOBase):
    """A file that can be read for so many `SECONDS` of this thread.

    PIL goes through headers and pixels block by block, and on a file of millions of parts takes
    minutes.
    """

    def __init__(self, file: BinaryIO) -> None:
        self.file, self.end = file, time.thread_time() + SECONDS

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if time.thread_time() > self.end:
            raise ValueError(f"takes more than {SECONDS} s to decode; save it anew")
        return self.file.readinto(buffer)  # type: ignore[attr-defined]

    def seek(self, offset: int, whence: int = 0) -> int:
        return self.file.seek(offset, whence)

    def tell(self) -> int:
        return self.file.tell()


def _check_size(image: Image.Image, content: BinaryIO) -> None:
    pixels, sides = image.width * image.height, f"{image.width}x{image.height}"
    if pixels > MAX_PIXELS:
        raise ValueError(f"has {sides} pixels, more than {MAX_PIXELS:,}")
    if max(image.size) > MAX_SIDE:
        raise ValueError(f"has {sides} pixels, more than {MAX_SIDE:,} on a side")
    # Each scan goes through all pixels, and takes a few bytes at least.
    read = content.tell()
    size = content.seek(0, os.SEEK_END)
    if image.format == "JPEG" and pixels * (size // SCAN_BYTES) > MAX_WORK:
        content.seek(0)
        scans = content.read().count(b"\xff\xda")
        if pixels * scans > MAX_WORK:
            raise ValueError(f"has {scans:,} scans of {pixels:,} pixels; save it anew")
    content.seek(read)


def _pixels(image: Image.Image, height: int, width: int, channels: int) -> NDArray[np.uint8]:
    if image.mode == "F":  # of PIL alone: no file of `FORMATS` has it
        raise ValueError("its pixels are fractions without a fixed range; convert it to 8 bits")
    scale_colour = _TO_8_BITS.get(_raw_mode(image))
    upright = ImageOps.exif_transpose(image)
    colour = upright.info.get("transparency")
    if upright.mode.startswith("I"):
        upright = _grey_of_8_bits(upright, colour)
    elif scale_colour is not None and colour is not None:
        upright.info["transparency"] = scale_colour(colour)
    if upright.has_transparency_data:
        white = Image.new("RGBA", upright.size, "white")
        upright = Image.alpha_composite(white, upright.convert("RGBA"))
    upright = upright.convert("RGB")
    if channels == 1:
        upright = upright.convert("L")
    if upright.size != (width, height):
        upright = upright.resize((width, height), Image.Resampling.BICUBIC)
    return np.ascontiguousarray(upright).reshape(height, width, channels)


# A PNG names its transparent colour in the depth of the file; PIL's pixels have 8 bits by then.
_TO_8_BITS: dict[str, Callable[[Any], Any]] = {
    "L;2": lambda grey: grey * 85,
    "L;4": lambda grey: grey * 17,
    "RGB;16B": lambda colour: tuple(channel >> 8 for channel in colour),
}


def _raw_mode(image: Image.Image) -> str:
    """How the pixels of a PNG that was opened and not yet decoded lie in the file."""
    tiles = getattr(image, "tile", [])
    return str(tiles[0].args) if image.format == "PNG" and tiles else ""


def _grey_of_8_bits(image: Image.Image, transparent: int | None) -> Image.Image:
    """An image of whole numbers, of 16 bits where one is above 255; `transparent` turns white."""
    grey = np.asarray(image)
    shift = 8 if image.mode != "I" or grey.max() > 255 else 0
    scaled = (grey >> shift).clip(0, 255)
    if transparent is not None:
        scaled[grey == transparent] = 255
    return Image.fromarray(scaled.astype(np.uint8))
