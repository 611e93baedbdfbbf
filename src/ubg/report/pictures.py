"""Pictures inside the page: compressed, and bounded in size."""

import base64
import io
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ubg.data.images.decode import open_image

TALLEST = 224  # pixels of a pedestrian
WIDEST = 1_200  # pixels of a sheet
QUALITIES = (80, 60, 40, 20)
SHEET_BYTES = 400_000


def crop_uri(pixels: NDArray[np.uint8]) -> str:
    """A pedestrian as data URI; `pixels` uint8 [H, W, 3]."""
    image = Image.fromarray(pixels)
    image.thumbnail((TALLEST, TALLEST), Image.Resampling.LANCZOS)
    return _uri(_webp(image, QUALITIES[0]))


def read_picture(path: Path) -> Image.Image:
    """A picture that an earlier stage left, RGB.

    Raises:
        ValueError: the file is missing or no picture.
    """
    try:
        with open_image(path) as file:
            return file.convert("RGB")
    except ValueError as error:
        raise ValueError(f"{error}; run its stage again") from None


def sheet_uri(path: Path) -> str:
    """A sheet that an earlier stage drew as data URI, of `SHEET_BYTES` or little more.

    Raises:
        ValueError: the file is missing or no picture.
    """
    image = read_picture(path)
    image.thumbnail((WIDEST, 2 * WIDEST), Image.Resampling.LANCZOS)
    for quality in QUALITIES:
        written = _webp(image, quality)
        if len(written) <= SHEET_BYTES:
            break
    return _uri(written)


def _webp(image: Image.Image, quality: int) -> bytes:
    written = io.BytesIO()
    image.save(written, "WEBP", quality=quality, method=6)
    return written.getvalue()


def _uri(webp: bytes) -> str:
    return "data:image/webp;base64," + base64.b64encode(webp).decode("ascii")
