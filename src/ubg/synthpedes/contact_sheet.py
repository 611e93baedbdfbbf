"""A picture of the data set: identities in rows, their images with a caption below each."""

from pathlib import Path
from textwrap import wrap
from typing import Any

from PIL import Image, ImageDraw, ImageFont

from ubg.synthpedes.canvas import HEIGHT, WIDTH

ZOOM = 2
GAP, LINES, LINE_HEIGHT = 12, 9, 13
CELL_WIDTH = 210
TITLE = 34
HEADING = "SynthPEDES, drawn by a program: people of the test split, below each image a caption"


def contact_sheet(records: list[dict[str, Any]], folder: Path, columns: int = 8) -> Image.Image:
    """Draw records of `reid_raw.json`, each image with its first caption.

    Args:
        records: in order; images of one identity follow one another.
        folder: of the data set, with `imgs` in it.
        columns: images in a row.
    """
    cell_height = HEIGHT * ZOOM + GAP + LINES * LINE_HEIGHT
    rows = (len(records) + columns - 1) // columns
    size = (columns * CELL_WIDTH + GAP, TITLE + rows * cell_height + GAP)
    sheet = Image.new("RGB", size, "white")
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(11)
    draw.text((GAP, GAP), HEADING, "black", ImageFont.load_default(18))
    for i, record in enumerate(records):
        x, y = GAP + i % columns * CELL_WIDTH, TITLE + GAP + i // columns * cell_height
        with Image.open(folder / "imgs" / record["file_path"]) as image:
            large = image.resize((WIDTH * ZOOM, HEIGHT * ZOOM), Image.Resampling.LANCZOS)
        sheet.paste(large, (x, y))
        text = f"{record['id']}: {record['captions'][0]}"
        for n, line in enumerate(wrap(text, 36)[:LINES]):
            draw.text((x, y + HEIGHT * ZOOM + 3 + n * LINE_HEIGHT), line, "black", font)
    return sheet
