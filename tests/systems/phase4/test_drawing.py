"""What is drawn of the branch."""

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from ubg.systems.phase4.drawing import choose_samples
from ubg.systems.phase4.sheet import (
    HEADER_HEIGHT,
    ROW_GAP,
    THUMB_HEIGHT,
    DrawnSample,
    draw_generation_sheet,
)
from ubg.systems.phase4.wrong_captions import OTHER_COLOUR, with_another_colour


@pytest.mark.parametrize(
    ("caption", "wrong"),
    [
        ("A woman in a red coat.", "A woman in a blue coat."),
        ("Black shoes, a black bag and red hat", "white shoes, a white bag and red hat"),
        ("An orange hat, an umbrella, an orange bag", "A blue hat, an umbrella, a blue bag"),
        ("A man with an ordered bag.", None),
        ("", None),
    ],
)
def test_first_colour_is_exchanged_wherever_it_is_named(caption, wrong):
    assert with_another_colour(caption) == wrong


def test_no_colour_is_exchanged_for_itself():
    assert all(old != new for old, new in OTHER_COLOUR.items())
    assert all(new[0] not in "aeiou" for new in OTHER_COLOUR.values())


def test_samples_are_of_different_identities_and_name_a_colour():
    table = pd.DataFrame(
        {
            "pid": [1, 1, 2, 3, 4],
            "caption": ["a red coat", "a blue coat", "a coat", "green shoes", "white hat"],
        }
    )
    rows, wrong = choose_samples(table, 3)
    assert rows == [0, 3, 4]
    assert wrong == ["a blue coat", "red shoes", "black hat"]
    assert choose_samples(table, 2)[0] == [0, 3]


def test_sheet_shows_every_image_of_every_sample(tmp_path):
    def sample(first):
        images = {
            name: np.full((48, 16, 3), first + 20 * i, np.uint8)
            for i, name in enumerate(("original", "VQGAN", "from the\ncaption"))
        }
        return DrawnSample("a red coat " * 30, "a blue coat", images)

    samples = [sample(first) for first in (20, 21, 22)]
    draw_generation_sheet(tmp_path / "sheet.png", "title", samples)
    shown = {
        tuple(pixel) for pixel in np.asarray(Image.open(tmp_path / "sheet.png")).reshape(-1, 3)
    }
    for drawn in samples:
        for image in drawn.images.values():
            assert tuple(image[0, 0]) in shown


@pytest.mark.parametrize("count", [1, 5, 12, 13])
def test_no_sample_is_drawn_twice_where_there_are_few(count):
    table = pd.DataFrame({"pid": range(count), "caption": ["a red coat"] * count})
    rows, _ = choose_samples(table, 12)
    assert len(rows) == len(set(rows)) == min(count, 12)


def test_characters_that_the_font_has_not_are_told_below_the_samples(tmp_path):
    def lines(caption):
        images = {"original": np.full((48, 16, 3), 200, np.uint8)}
        samples = [DrawnSample(caption, "a blue coat", images)]
        draw_generation_sheet(tmp_path / "sheet.png", "title", samples)
        with Image.open(tmp_path / "sheet.png") as sheet:
            return np.asarray(sheet)

    plain, odd = lines("a red coat"), lines("红色 coat")
    assert len(odd) > len(plain)
    below = HEADER_HEIGHT + THUMB_HEIGHT + ROW_GAP
    assert (plain[below:] == 255).all()
    assert (odd[below:] < 255).any()
