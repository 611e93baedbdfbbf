import numpy as np
import pytest
from PIL import Image, ImageColor

from ubg.evaluation import retrieval_sheet
from ubg.evaluation.retrieval_sheet import (
    CAPTION_WIDTH,
    FRAME,
    GAP,
    HEADER_HEIGHT,
    HIT,
    MARGIN,
    MISS,
    ROW_HEIGHT,
    THUMB_HEIGHT,
    RetrievedQuery,
    choose_queries,
    draw_retrieval_sheet,
)

GALLERY_PIDS = np.array([5, 5, 6, 7])
STEP = 64 + 2 * FRAME + GAP
FIRST_MATCH = MARGIN + CAPTION_WIDTH + 2 * GAP + STEP + GAP


def read_images(indices):
    """Image i is of the one grey 10 * i."""
    return np.broadcast_to(
        (10 * np.asarray(indices, np.uint8))[:, None, None, None], (len(indices), 192, 64, 3)
    ).copy()


def query(caption="a man", pid=5, top=(3, 0, 1), image=1, rank=3):
    scores = np.array([0.9, 0.5, -0.001])
    return RetrievedQuery(caption, pid, image, rank, np.array(top), scores, 0.58, 2)


def draw(tmp_path, queries):
    path = tmp_path / "sheet.png"
    draw_retrieval_sheet(path, "phase1: best queries", queries, GALLERY_PIDS, read_images)
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))


def test_hits_are_framed_green_and_misses_red_around_their_images(tmp_path):
    sheet = draw(tmp_path, [query(), query(pid=7)])
    for row, expected in enumerate([(MISS, HIT, HIT), (HIT, MISS, MISS)]):
        top = HEADER_HEIGHT + row * ROW_HEIGHT
        for place, (colour, item) in enumerate(zip(expected, (3, 0, 1), strict=True)):
            left = FIRST_MATCH + place * STEP
            frame = sheet[top : top + THUMB_HEIGHT + 2 * FRAME, left : left + 64 + 2 * FRAME]
            for edge in (frame[:FRAME], frame[-FRAME:], frame[:, :FRAME], frame[:, -FRAME:]):
                assert (edge == ImageColor.getrgb(colour)).all()
            assert (frame[FRAME:-FRAME, FRAME:-FRAME] == 10 * item).all()
            # The mark below: in the colour of the frame, so there is ink of it.
            label = sheet[top + THUMB_HEIGHT + 2 * FRAME :, left : left + 64][:24]
            assert (label == ImageColor.getrgb(colour)).all(axis=-1).any()


def test_tick_and_cross_differ_in_shape(tmp_path, monkeypatch):
    monkeypatch.setattr(retrieval_sheet, "MISS", HIT)
    sheet = draw(tmp_path, [query(top=(0, 0, 0)), query(top=(3, 3, 3))])
    top = HEADER_HEIGHT + THUMB_HEIGHT + 2 * FRAME
    tick, cross = (
        sheet[y : y + 24, FIRST_MATCH : FIRST_MATCH + 74] for y in (top, top + ROW_HEIGHT)
    )
    assert not np.array_equal(tick, cross)


def test_the_described_image_stands_left_of_the_matches(tmp_path):
    sheet = draw(tmp_path, [query()])
    assert (sheet[HEADER_HEIGHT + 100, FIRST_MATCH - STEP - GAP + FRAME + 32] == 10).all()


def test_below_the_described_image_stands_its_rank(tmp_path):
    one, other = (draw(tmp_path, [query(rank=rank)]) for rank in (3, 1_204))
    left = FIRST_MATCH - STEP - GAP
    below = slice(HEADER_HEIGHT + THUMB_HEIGHT + 2 * FRAME, None)
    assert (one[below, left : left + 74] < 128).any()
    assert not np.array_equal(one[below], other[below])
    assert np.array_equal(one[: below.start], other[: below.start])


def test_characters_that_the_font_has_not_are_told_below(tmp_path):
    plain, odd = draw(tmp_path, [query("a man")]), draw(tmp_path, [query("一个女人 \U0001f600")])
    assert len(odd) > len(plain)
    assert (odd[len(plain) - 12 :] < 255).any()


def test_a_query_without_an_image_of_its_own_leaves_that_place_empty(tmp_path):
    sheet = draw(tmp_path, [query(image=None)])
    own = slice(FIRST_MATCH - STEP - GAP, FIRST_MATCH - GAP)
    assert (sheet[HEADER_HEIGHT - 30 : HEADER_HEIGHT + THUMB_HEIGHT, own] == 255).all()
    assert (sheet[HEADER_HEIGHT + 100, FIRST_MATCH + FRAME + 32] == 30).all()


@pytest.mark.parametrize(
    "caption", ["word " * 150, "x" * 700, "一个女人" * 100, "two\nlines\tand tab"]
)
def test_a_caption_stays_in_its_cell(tmp_path, caption):
    sheet = draw(tmp_path, [query(caption), query("a")])
    rows = slice(HEADER_HEIGHT, HEADER_HEIGHT + 2 * ROW_HEIGHT)
    right_of_text = sheet[rows, MARGIN + CAPTION_WIDTH + 4 : FIRST_MATCH - STEP - GAP]
    rule = ROW_HEIGHT - 9  # the line between the rows
    assert (np.delete(right_of_text, rule, axis=0) == 255).all()
    assert (
        sheet[
            HEADER_HEIGHT + THUMB_HEIGHT + 2 * FRAME : HEADER_HEIGHT + rule,
            : FIRST_MATCH - STEP - GAP,
        ]
        == 255
    ).all()


def test_sheet_is_written_the_same_twice(tmp_path):
    for name in "ab":
        draw_retrieval_sheet(tmp_path / name, "t", [query()], GALLERY_PIDS, read_images)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_best_and_worst_by_ap_then_by_first_rank():
    precision = np.array([0.2, 0.9, 0.5, 0.5, 0.1])
    first_ranks = np.array([5, 1, 2, 1, 9])
    best, worst = choose_queries(precision, first_ranks, np.arange(5), 3)
    assert best.tolist() == [1, 3, 2]
    assert worst.tolist() == [4, 0, 2]


def test_each_identity_is_shown_once():
    precision = np.array([1.0, 0.9, 0.8, 0.7])
    best, worst = choose_queries(precision, np.ones(4, int), np.array([3, 3, 8, 8]), 6)
    assert best.tolist() == [0, 2]
    assert worst.tolist() == [3, 1]


def test_equals_come_from_all_over_the_data_set():
    best, worst = choose_queries(np.ones(1000), np.ones(1000, int), np.arange(1000), 8)
    assert best.max() - best.min() > 300
    assert worst.max() - worst.min() > 300
