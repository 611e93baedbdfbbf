"""Queries that grow part by part, with their parts and their best matches, as one picture."""

import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from ubg.figures.framed import HIT, MISS, paste_framed
from ubg.figures.style import FAINT, INK, font, undrawable

FRAME, THUMB_HEIGHT = 4, 132
MARGIN, GAP, NOTE = 24, 8, 22
CAPTION_WIDTH = 300
HEADER, LABEL, BETWEEN = 96, 20, 14
ROW = THUMB_HEIGHT + 2 * FRAME + LABEL


@dataclass(frozen=True)
class ShownQuery:
    """One query and what was found for it.

    Attributes:
        pid: who is searched for.
        caption: "" where it is no part.
        images: the other parts, uint8 [H, W, C] by name.
        top: [K], gallery indices, best first.
        scores: [K], cosine similarities.
        first_rank: of the first hit, from 1.
        average_precision: 0 to 1.
    """

    pid: int
    caption: str
    images: dict[str, NDArray[np.uint8]]
    top: NDArray[np.int64]
    scores: NDArray[np.floating]
    first_rank: int
    average_precision: float


def draw_query_sheet(
    path: Path,
    title: str,
    queries: Sequence[ShownQuery],
    gallery_pids: NDArray[Any],
    read_images: Callable[[NDArray[np.int64]], NDArray[np.uint8]],
) -> None:
    """Draw a row for each query; those of one person that follow each other stand together.

    Args:
        path: the PNG to write.
        title: system, which queries, data set and split.
        queries: at least one, all with the same K.
        gallery_pids: [G], decide which match is a hit.
        read_images: from gallery indices [n] to images uint8 [n, H, W, 3].
    """
    columns = list(dict.fromkeys(name for query in queries for name in query.images))
    _, height, width, _ = read_images(queries[0].top[:1]).shape
    thumb = round(width * THUMB_HEIGHT / height), THUMB_HEIGHT
    step = thumb[0] + 2 * FRAME + GAP
    first_part = MARGIN + CAPTION_WIDTH + 2 * GAP
    first_match = first_part + len(columns) * step + 2 * GAP
    tops = _tops(queries)
    bottom = tops[-1] + ROW
    note = undrawable([title, *(query.caption for query in queries)])
    size = (
        first_match + len(queries[0].top) * step - GAP + MARGIN,
        bottom + (MARGIN if note is None else MARGIN + NOTE),
    )
    sheet = Image.new("RGB", size, "white")
    draw = ImageDraw.Draw(sheet)
    _draw_header(draw, title)
    headings = {MARGIN: "query: text", first_match: "best matches"}
    headings |= {first_part + place * step: name for place, name in enumerate(columns)}
    for left, heading in headings.items():
        draw.text((left, HEADER - 22), heading, fill=FAINT, font=font(12))
    for query, top in zip(queries, tops, strict=True):
        _draw_words(draw, query, top)
        for place, name in enumerate(columns):
            corner = first_part + place * step, top
            if name in query.images:
                paste_framed(sheet, query.images[name], corner, thumb, (FRAME, FAINT))
        found = zip(read_images(query.top), query.top, query.scores, strict=True)
        for place, (image, item, score) in enumerate(found):
            hit = bool(gallery_pids[item] == query.pid)
            corner = first_match + place * step, top
            paste_framed(sheet, image, corner, thumb, (FRAME, HIT if hit else MISS))
            base, right = top + THUMB_HEIGHT + 2 * FRAME + 2, corner[0] + thumb[0] + 2 * FRAME
            draw.text((corner[0], base), "✓" if hit else "✗", HIT if hit else MISS, font(12))
            draw.text((right, base), f"{score:z.2f}", fill=INK, font=font(11), anchor="ra")
    if note is not None:
        draw.text((MARGIN, bottom + MARGIN // 2), note, fill=FAINT, font=font(12))
    sheet.save(path, format="PNG", optimize=True)


def _tops(queries: Sequence[ShownQuery]) -> list[int]:
    """Where each row begins: further apart between two persons."""
    tops = [HEADER]
    for before, query in pairwise(queries):
        tops.append(tops[-1] + ROW + (BETWEEN if before.pid == query.pid else 4 * BETWEEN))
    return tops


def _draw_header(draw: ImageDraw.ImageDraw, title: str) -> None:
    draw.text((MARGIN, 14), title, fill=INK, font=font(20, bold=True))
    left = float(MARGIN)
    for text, colour in (
        ("✓ green frame: same person", HIT),
        ("✗ red frame: another person", MISS),
        ("below an image: cosine similarity", INK),
    ):
        draw.text((left, 44), text, fill=colour, font=font(13))
        left += font(13).getlength(text) + 24


def _draw_words(draw: ImageDraw.ImageDraw, query: ShownQuery, top: int) -> None:
    """The caption, as much of it as there is room for, and how well the query does."""
    size, room = 12, (THUMB_HEIGHT - 26) // 16
    characters = int(CAPTION_WIDTH / font(size).getlength("n"))
    lines = textwrap.wrap(query.caption, characters, max_lines=room, placeholder=" …")
    for place, line in enumerate(lines):
        draw.text((MARGIN, top + 16 * place), line, fill=INK, font=font(size))
    facts = f"AP {query.average_precision:.2f}, first hit at rank {query.first_rank:,}"
    draw.text((MARGIN, top + THUMB_HEIGHT - 14), facts, fill=INK, font=font(12, bold=True))
