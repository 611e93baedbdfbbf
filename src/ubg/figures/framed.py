"""Images in coloured frames, on sheets of many."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

HIT, MISS = "#1a9641", "#d7301f"  # colours of frames


def paste_framed(
    sheet: Image.Image,
    image: NDArray[np.uint8],
    corner: tuple[int, int],
    thumb: tuple[int, int],
    frame: tuple[int, str],
) -> None:
    """Paste an image, resized, in a frame.

    Args:
        sheet: to paste on.
        image: [H, W, C], with 3 channels or 1.
        corner: of the frame, its upper left.
        thumb: width and height of the image within it.
        frame: its width and its colour.
    """
    width, colour = frame
    outer = Image.new("RGB", (thumb[0] + 2 * width, thumb[1] + 2 * width), colour)
    shown = Image.fromarray(image.squeeze(2) if image.shape[2] == 1 else image).convert("RGB")
    outer.paste(shown.resize(thumb, Image.Resampling.LANCZOS), (width, width))
    sheet.paste(outer, corner)
