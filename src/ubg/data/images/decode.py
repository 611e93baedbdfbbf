"""Decoding of an untrusted image file to pixels of a given size."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

MAX_PIXELS = 64_000_000
MAX_BYTES = 256 * 2**20
LARGE_PIXELS = 4_000_000
FORMATS = ("JPEG", "PNG", "BMP", "WEBP", "GIF")

# Threads decode in parallel, and decoding an image of `MAX_PIXELS` takes more than a gigabyte.
_one_large_at_a_time = threading.Lock()


def decode_image(source: str | Path | Image.Image, height: int, width: int) -> NDArray[np.uint8]:
    """RGB pixels, uint8 [height, width, 3], turned upright by EXIF and resized bicubically.

    What is transparent becomes white.

    Raises:
        ValueError: the file cannot be read, is no image or a truncated one, or is larger than
            `MAX_PIXELS` or `MAX_BYTES`; path and reason are named.
    """
    if isinstance(source, Image.Image):
        return _pixels(source, height, width)
    with _opened(source) as image:
        large = image.width * image.height > LARGE_PIXELS
        with _one_large_at_a_time if large else nullcontext():
            return _pixels(image, height, width)


def read_header(source: str | Path) -> tuple[int, int, str]:
    """Width and height in pixels, as stored, and the format; no pixel is decoded.

    Raises:
        ValueError: as `decode_image`, as far as the header tells.
    """
    with _opened(source) as image:
        return image.width, image.height, str(image.format)


@contextmanager
def _opened(source: str | Path) -> Iterator[Image.Image]:
    """The image, of which the header alone has been read; what PIL raises becomes a ValueError."""
    try:
        size = Path(source).stat().st_size
        if size == 0:
            raise ValueError("has no bytes")
        if size > MAX_BYTES:
            raise ValueError(f"has {size:,} bytes, more than {MAX_BYTES:,}")
        with Image.open(source, formats=FORMATS) as image:
            if image.width * image.height > MAX_PIXELS:
                raise ValueError(
                    f"has {image.width}x{image.height} pixels, more than {MAX_PIXELS:,}"
                )
            yield image
            return
    except Image.UnidentifiedImageError:
        reason = f"is no image of a known format ({', '.join(FORMATS)})"
    except Image.DecompressionBombError as error:
        reason = f"is too large: {error}"
    except Exception as error:
        # What PIL raises on damaged files is not the same in any two formats.
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
    raise ValueError(f"{source}: {reason}")


def _pixels(image: Image.Image, height: int, width: int) -> NDArray[np.uint8]:
    if image.mode.startswith("I"):
        image = Image.fromarray((np.asarray(image) >> 8).clip(0, 255).astype(np.uint8))
    upright = ImageOps.exif_transpose(image)
    if upright.has_transparency_data:
        white = Image.new("RGBA", upright.size, "white")
        upright = Image.alpha_composite(white, upright.convert("RGBA"))
    upright = upright.convert("RGB")
    if upright.size != (width, height):
        upright = upright.resize((width, height), Image.Resampling.BICUBIC)
    return np.ascontiguousarray(upright)
