"""What the branch makes of captions, as one picture."""

import textwrap
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from ubg.figures.style import FAINT, INK, font, undrawable

THUMB_HEIGHT = 160
MARGIN, GAP = 24, 8
CAPTION_WIDTH = 230
HEADER_HEIGHT, ROW_GAP = 100, 18
SAMPLES_ACROSS = 2
WRONG = "#d7301f"


@dataclass(frozen=True)
class DrawnSample:
    """One image and what was drawn of it.

    Attributes:
        caption: of the image.
        wrong_caption: the same with one colour changed.
        images: uint8 [H, W, 3] by the name of their column, the same names in all samples.
    """

    caption: str
    wrong_caption: str
    images: dict[str, NDArray[np.uint8]]


def draw_generation_sheet(path: Path, title: str, samples: list[DrawnSample]) -> None:
    """Write a PNG: per sample its images and both captions, two samples side by side."""
    columns = list(samples[0].images) if samples else []
    height, width = samples[0].images[columns[0]].shape[:2] if samples else (3, 1)
    thumb = (round(THUMB_HEIGHT * width / height), THUMB_HEIGHT)
    across = len(columns) * (thumb[0] + GAP) + CAPTION_WIDTH + 2 * GAP
    rows = -(-len(samples) // SAMPLES_ACROSS)
    note = undrawable([title, *(sample.caption for sample in samples)])
    end = HEADER_HEIGHT + rows * (THUMB_HEIGHT + ROW_GAP)
    size = (
        2 * MARGIN + SAMPLES_ACROSS * across,
        end + MARGIN + (0 if note is None else ROW_GAP),
    )
    sheet = Image.new("RGB", size, "white")
    draw = ImageDraw.Draw(sheet)
    draw.text((MARGIN, MARGIN - 6), title, INK, font(20, bold=True))
    for number, sample in enumerate(samples):
        left = MARGIN + number % SAMPLES_ACROSS * across
        top = HEADER_HEIGHT + number // SAMPLES_ACROSS * (THUMB_HEIGHT + ROW_GAP)
        for column, (name, pixels) in enumerate(sample.images.items()):
            x = left + column * (thumb[0] + GAP)
            sheet.paste(Image.fromarray(pixels).resize(thumb, Image.Resampling.LANCZOS), (x, top))
            if number < SAMPLES_ACROSS:
                lines = name.count("\n") + 1
                draw.multiline_text(
                    (x, HEADER_HEIGHT - 4 - 14 * lines), name, FAINT, font(11), spacing=2
                )
        x = left + len(columns) * (thumb[0] + GAP)
        bottom = _write(draw, (x, top), sample.caption, INK, 6)
        _write(draw, (x, bottom + 6), "wrong: " + sample.wrong_caption, WRONG, 5)
    if note is not None:
        draw.text((MARGIN, end), note, FAINT, font(12))
    sheet.save(path)


def _write(
    draw: ImageDraw.ImageDraw, corner: tuple[int, int], text: str, colour: str, lines: int
) -> int:
    """Write at most so many lines; returns where the next may begin."""
    shown = textwrap.wrap(" ".join(text.split()), 36, max_lines=lines, placeholder=" ...")
    draw.multiline_text(corner, "\n".join(shown), colour, font(11), spacing=2)
    return corner[1] + 14 * len(shown)
