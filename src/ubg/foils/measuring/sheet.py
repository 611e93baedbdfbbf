"""Cases as one picture: two images, two captions with what differs marked, the four scores."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from ubg.data.images.image_pack import ImagePack
from ubg.figures.style import BLUE, FAINT, INK, ORANGE, font, undrawable
from ubg.foils.cases import BINDING, Case, Rows
from ubg.foils.measuring.judge import ScorePairs
from ubg.foils.words import changed_words, shared_words

THUMB_HEIGHT = 168
MARGIN, GAP = 24, 10
HEADER, ROW = 84, THUMB_HEIGHT + 46
TEXT_WIDTH, TEXT_SIZE, LINE = 620, 14, 20
SCORE_WIDTH = 78


def choose_cases(
    kinds: NDArray[np.str_], wanted: NDArray[np.bool_], persons: NDArray[np.int64], count: int
) -> NDArray[np.int64]:
    """Up to `count` of the `wanted` cases, no person twice, of many kinds, binding first.

    Args:
        kinds: [C].
        wanted: [C].
        persons: [C].
        count: fewer come back where there are fewer.

    Returns:
        Their places. A fixed random order decides.
    """
    order = np.random.default_rng(0).permutation(len(kinds))
    order = order[wanted[order]]
    _, first = np.unique(persons[order], return_index=True)
    order = order[np.sort(first)]
    seen: dict[str, int] = {}
    rounds = []
    for kind in kinds[order].tolist():
        seen[kind] = seen.get(kind, 0) + 1
        rounds.append(seen[kind])
    others_last = np.lexsort((kinds[order] != BINDING, np.array(rounds, np.int64)))
    return order[others_last][:count]


def draw_foil_sheet(
    path: Path,
    title: str,
    cases: Sequence[Case],
    rows: Rows,
    score_pairs: ScorePairs,
    images: ImagePack,
) -> None:
    """Draw a row per case, its own image and caption first.

    Args:
        path: the PNG to write.
        title: system, which cases, the data set's label.
        cases: to be shown; the sheet says so where there are none.
        rows: of these cases.
        score_pairs: what they were judged by.
        images: all that `rows` names.
    """
    image_rows = [rows.image_C] + ([] if rows.foil_image_C is None else [rows.foil_image_C])
    captions = (rows.caption_C, rows.foil_caption_C)
    scores_CTI = np.array(
        [[score_pairs(text_C, image_C) for image_C in image_rows] for text_C in captions]
    ).transpose(2, 0, 1)
    thumb_width = round(images.width * THUMB_HEIGHT / images.height)
    text_left = MARGIN + len(image_rows) * (thumb_width + GAP) + GAP
    width = text_left + TEXT_WIDTH + len(image_rows) * SCORE_WIDTH + MARGIN
    note = undrawable([title, *(text for one in cases for text in (one.caption, one.foil_caption))])
    bottom = HEADER + max(len(cases), 1) * ROW
    sheet = Image.new("RGB", (width, bottom + (0 if note is None else LINE)), "white")
    draw = ImageDraw.Draw(sheet)
    draw.text((MARGIN, 16), title, fill=INK, font=font(20, bold=True))
    key = (("blue: the image and its caption", BLUE), ("orange: the foil", ORANGE))
    left = float(MARGIN)
    for text, colour in (*key, ("right: how well caption and image match", INK)):
        draw.text((left, 46), text, fill=colour, font=font(13))
        left += font(13).getlength(text) + 24
    if not cases:
        draw.text((MARGIN, HEADER), "none", fill=FAINT, font=font(TEXT_SIZE))
    for number, case in enumerate(cases):
        top = HEADER + number * ROW
        for place, image_C in enumerate(image_rows):
            pixels = images.read(images.row_of(rows.image_ids[image_C[number : number + 1]]))[0]
            thumb = Image.fromarray(pixels).resize((thumb_width, THUMB_HEIGHT))
            corner = (MARGIN + place * (thumb_width + GAP), top)
            sheet.paste(thumb, corner)
            edge = (*corner, corner[0] + thumb_width - 1, top + THUMB_HEIGHT - 1)
            draw.rectangle(edge, outline=(BLUE, ORANGE)[place], width=3)
        heading = f"{case.kind.replace('_', ' ')}: {case.fact} or {case.foil_fact}"
        draw.text((text_left, top), heading, fill=FAINT, font=font(12))
        texts = (case.caption, case.foil_caption)
        for place, text in enumerate(texts):
            corner = (text_left, top + 22 + place * (THUMB_HEIGHT // 2 - 4))
            marked = marked_words(text.split(), texts[1 - place].split())
            _draw_text(draw, corner, text.split(), marked, (BLUE, ORANGE)[place])
            for image, score in enumerate(scores_CTI[number, place].tolist()):
                right = text_left + TEXT_WIDTH + (image + 1) * SCORE_WIDTH
                colour = (BLUE, ORANGE)[image]
                draw.text(
                    (right, corner[1]), f"{score:z.3f}", fill=colour, font=font(15), anchor="ra"
                )
    if note is not None:
        draw.text((MARGIN, bottom), note, fill=FAINT, font=font(12))
    sheet.save(path, format="PNG", optimize=True)


def marked_words(words: Sequence[str], others: Sequence[str]) -> list[bool]:
    """Which words differ: by place where both have as many, else all between the shared ends."""
    if len(words) == len(others):
        return [one != other for one, other in zip(words, others, strict=True)]
    start = shared_words(words, others)
    own, _ = changed_words(words, others)
    return [start <= place < start + len(own) for place in range(len(words))]


def _draw_text(
    draw: ImageDraw.ImageDraw,
    corner: tuple[int, int],
    words: Sequence[str],
    marked: Sequence[bool],
    colour: str,
) -> None:
    """Words in lines of `TEXT_WIDTH`, marked ones bold and in `colour`."""
    left, top = float(corner[0]), corner[1]
    space = font(TEXT_SIZE).getlength(" ")
    for word, bold in zip(words, marked, strict=True):
        letters = font(TEXT_SIZE, bold=bold)
        length = letters.getlength(word)
        if left + length > corner[0] + TEXT_WIDTH:
            left, top = float(corner[0]), top + LINE
        draw.text((left, top), word, fill=colour if bold else INK, font=letters)
        left += length + space
