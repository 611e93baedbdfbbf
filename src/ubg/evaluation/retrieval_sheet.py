"""Queries with their best matches as one picture, hits framed green and misses red."""

import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from ubg.figures.framed import HIT, MISS, paste_framed
from ubg.figures.style import FAINT, INK, font, undrawable

FRAME = 5
THUMB_HEIGHT = 192
MARGIN, GAP, NOTE = 24, 10, 22
CAPTION_WIDTH = 250
HEADER_HEIGHT, LABEL_HEIGHT = 96, 24
ROW_HEIGHT = THUMB_HEIGHT + 2 * FRAME + LABEL_HEIGHT + 14


@dataclass(frozen=True)
class RetrievedQuery:
    """One query and what was found for it.

    Attributes:
        caption: the query.
        pid: the identity it describes.
        image: index in the gallery of the image it describes; None where it describes a person.
        image_rank: of that image, from 1; None where there is none.
        top: [K], gallery indices, best first.
        scores: [K], by which they are ranked.
        average_precision: 0 to 1.
        first_rank: rank of the first hit, from 1.
    """

    caption: str
    pid: int
    image: int | None
    image_rank: int | None
    top: NDArray[np.int64]
    scores: NDArray[np.floating]
    average_precision: float
    first_rank: int


def choose_queries(
    average_precision: NDArray[np.floating],
    first_ranks: NDArray[np.int64],
    pids: NDArray[Any],
    count: int,
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The `count` best and the `count` worst queries, each identity once at most in either.

    Ordered by average precision, then by the rank of the first hit. Of equals, a fixed random
    order decides: a good model is perfect on many, and neighbours in a data set look alike.

    Args:
        average_precision: [Q].
        first_ranks: [Q].
        pids: [Q].
        count: fewer come back where there are fewer identities.

    Returns:
        Indices of the best, best first, and of the worst, worst first.
    """
    shuffled = np.random.default_rng(0).permutation(len(pids))
    best = np.lexsort((shuffled, first_ranks, -average_precision))
    worst = np.lexsort((shuffled, -first_ranks, average_precision))
    return _distinct(best, pids, count), _distinct(worst, pids, count)


def draw_retrieval_sheet(
    path: str | Path,
    title: str,
    queries: Sequence[RetrievedQuery],
    gallery_pids: NDArray[Any],
    read_images: Callable[[NDArray[np.int64]], NDArray[np.uint8]],
    measure: str = "cosine similarity",
) -> None:
    """Draw a row per query: caption, the image it describes, its K best matches.

    Args:
        path: the PNG to write.
        title: system, which queries, the data set's label, which split.
        queries: at least one, all with the same K.
        gallery_pids: [G], decide which match is a hit.
        read_images: from gallery indices [n] to images uint8 [n, H, W, 3].
        measure: what the scores are.
    """
    matches = len(queries[0].top)
    _, height, width, _ = read_images(queries[0].top[:1]).shape
    thumb = (round(width * THUMB_HEIGHT / height), THUMB_HEIGHT)
    step = thumb[0] + 2 * FRAME + GAP
    first_match = MARGIN + CAPTION_WIDTH + 2 * GAP + step + GAP
    note = undrawable([title, *(query.caption for query in queries)])
    bottom = HEADER_HEIGHT + len(queries) * ROW_HEIGHT
    size = (
        first_match + matches * step - GAP + MARGIN,
        bottom + MARGIN // 2 + (0 if note is None else NOTE),
    )

    sheet = Image.new("RGB", size, "white")
    draw = ImageDraw.Draw(sheet)
    described = any(query.image is not None for query in queries)
    _draw_header(draw, title, measure, first_match, described)
    for row, query in enumerate(queries):
        top = HEADER_HEIGHT + row * ROW_HEIGHT
        if row > 0:
            draw.line([(MARGIN, top - 9), (size[0] - MARGIN, top - 9)], fill="#e0e0e0")
        _draw_caption(draw, query, top)
        if query.image is not None:
            (described,) = read_images(np.array([query.image]))
            left = first_match - step - GAP
            paste_framed(sheet, described, (left, top), thumb, (FRAME, FAINT))
            below = (left, top + THUMB_HEIGHT + 2 * FRAME + 4)
            draw.text(below, f"rank {query.image_rank:,}", fill=INK, font=font(12))
        found = read_images(query.top)
        for place, (image, item, score) in enumerate(
            zip(found, query.top, query.scores, strict=True)
        ):
            hit = bool(gallery_pids[item] == query.pid)
            left = first_match + place * step
            paste_framed(sheet, image, (left, top), thumb, (FRAME, HIT if hit else MISS))
            _label(draw, (left, top), thumb[0] + 2 * FRAME, place + 1, hit, float(score))
    if note is not None:
        draw.text((MARGIN, bottom), note, fill=FAINT, font=font(12))
    sheet.save(path, format="PNG", optimize=True)


def _distinct(order: NDArray[np.int64], pids: NDArray[Any], count: int) -> NDArray[np.int64]:
    """The first query of each identity along `order`, `count` at most."""
    _, first = np.unique(pids[order], return_index=True)
    return order[np.sort(first)[:count]]


def _draw_header(
    draw: ImageDraw.ImageDraw, title: str, measure: str, first_match: int, described: bool
) -> None:
    draw.text((MARGIN, 16), title, fill=INK, font=font(20, bold=True))
    key = (
        ("✓ green frame: same identity", HIT),
        ("✗ red frame: another identity", MISS),
        (f"below an image: its rank and {measure}", INK),
    )
    left = float(MARGIN)
    for text, colour in key:
        draw.text((left, 46), text, fill=colour, font=font(13))
        left += font(13).getlength(text) + 24
    small = font(12)
    draw.text((MARGIN, HEADER_HEIGHT - 22), "query", fill=FAINT, font=small)
    draw.text((first_match, HEADER_HEIGHT - 22), "best matches", fill=FAINT, font=small)
    if described:
        left = MARGIN + CAPTION_WIDTH + 2 * GAP
        draw.text((left, HEADER_HEIGHT - 22), "its image", fill=FAINT, font=small)


def _draw_caption(draw: ImageDraw.ImageDraw, query: RetrievedQuery, top: int) -> None:
    facts = f"AP {query.average_precision:.2f}, first hit at rank {query.first_rank:,}"
    room = THUMB_HEIGHT + 2 * FRAME - 30
    for size in (15, 13, 11):
        lines = _wrap(query.caption, size)
        if len(lines) * (size + 5) <= room:
            break
    else:
        shown = room // (size + 5)
        lines = [*lines[: shown - 1], lines[shown - 1][:-1] + "…"]
    for place, line in enumerate(lines):
        draw.text((MARGIN, top + place * (size + 5)), line, fill=INK, font=font(size))
    bottom = top + len(lines) * (size + 5) + 8
    draw.text((MARGIN, bottom), facts, fill=INK, font=font(13, bold=True))


def _wrap(caption: str, size: int) -> list[str]:
    letters = font(size)
    characters = CAPTION_WIDTH // 4
    while True:
        lines = textwrap.wrap(caption, characters)
        if all(letters.getlength(line) <= CAPTION_WIDTH for line in lines):
            return lines
        characters -= 1


def _label(
    draw: ImageDraw.ImageDraw,
    corner: tuple[int, int],
    width: int,
    rank: int,
    hit: bool,
    score: float,
) -> None:
    """Rank, tick or cross, and score below a frame whose left upper corner is given."""
    left, base = corner[0], corner[1] + THUMB_HEIGHT + 2 * FRAME + 4
    draw.text((left, base), str(rank), fill=FAINT, font=font(12))
    mark, colour = ("✓", HIT) if hit else ("✗", MISS)
    draw.text(
        (left + width * 0.4, base - 3), mark, fill=colour, font=font(16, bold=True), anchor="ma"
    )
    draw.text((left + width, base), f"{score:z.2f}", fill=INK, font=font(12), anchor="ra")
