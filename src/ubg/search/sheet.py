"""The results of a query as one picture."""

from collections.abc import Sequence
from pathlib import Path

from PIL import Image, ImageDraw, ImageOps

from ubg.figures.style import FAINT, INK, font
from ubg.search.gallery import Gallery
from ubg.search.searcher import Result

COLUMNS, THUMB, LABEL = 10, (96, 192), 22
MARGIN, GAP, HEADER = 20, 8, 50
MAX_TITLE = 120


def draw_sheet(path: Path, title: str, gallery: Gallery, results: Sequence[Result]) -> None:
    """Draw the images with rank and score; one that is gone meanwhile is an empty frame.

    Args:
        path: the PNG to write.
        title: the query.
        gallery: has the images.
        results: in their order; there may be none.

    Raises:
        OSError: the file cannot be written.
    """
    step = THUMB[0] + GAP, THUMB[1] + LABEL + GAP
    lines = max(1, -(-len(results) // COLUMNS))
    columns = COLUMNS if lines > 1 else max(5, len(results))
    size = 2 * MARGIN + columns * step[0] - GAP, HEADER + lines * step[1] + MARGIN
    sheet = Image.new("RGB", size, "white")
    draw = ImageDraw.Draw(sheet)
    shown = title if len(title) <= MAX_TITLE else title[: MAX_TITLE - 1] + "…"
    letters = 16
    while font(letters).getlength(shown) > size[0] - 2 * MARGIN and letters > 8:
        letters -= 1
    draw.text((MARGIN, 16), shown or "(no text)", fill=INK, font=font(letters))
    for place, result in enumerate(results):
        line, column = divmod(place, COLUMNS)
        left, top = MARGIN + column * step[0], HEADER + line * step[1]
        try:
            image = ImageOps.contain(gallery.open_image(result.id), THUMB)
            sheet.paste(image, (left + (THUMB[0] - image.width) // 2, top))
        except ValueError:
            draw.rectangle((left, top, left + THUMB[0] - 1, top + THUMB[1] - 1), outline=FAINT)
        below = top + THUMB[1] + 4
        draw.text((left, below), str(result.rank), fill=FAINT, font=font(12))
        draw.text(
            (left + THUMB[0], below), f"{result.score:z.3f}", fill=INK, font=font(12), anchor="ra"
        )
    try:
        sheet.save(path, format="PNG")
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from None
