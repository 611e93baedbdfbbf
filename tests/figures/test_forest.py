import numpy as np
from PIL import Image, ImageColor

from ubg.figures.forest import Comparison, difference_cell, draw_forest, why_missing
from ubg.retrieval.bootstrap import ALIKE, TOO_FEW, Interval


def widths(path, colour):
    """Ink of `colour` in the widest row of the picture, and in all rows."""
    with Image.open(path) as image:
        pixels = np.asarray(image.convert("RGB"))
    found = (pixels == ImageColor.getrgb(colour)).all(axis=2)
    return found.sum(axis=1).max(), found.sum()


def test_lines_are_as_long_as_their_intervals_and_dots_filled_where_they_exclude_zero(tmp_path):
    path = tmp_path / "f.png"
    draw_forest(
        path,
        "Title",
        [
            Comparison("a", "R@1", "#ff0000", Interval(4.0, 2.0, 6.0)),
            Comparison("a", "mAP", "#0000ff", Interval(0.0, -1.0, 1.0)),
            Comparison("b", "R@1", "#00aa00", Interval(3.0, 2.0, 4.0)),
        ],
        "note",
    )
    (red, _), (blue, blue_ink), (green, green_ink) = (
        widths(path, colour) for colour in ("#ff0000", "#0000ff", "#00aa00")
    )
    assert 1.9 < red / green < 2.1
    # Of the same length, but the dot that stands on zero is hollow.
    assert blue < green
    assert blue_ink < green_ink


def test_figure_is_written_the_same_twice_and_without_comparisons(tmp_path):
    lines = [Comparison("a", "R@1", "#ff0000", Interval(4.0, 2.0, 6.0))]
    for name, content in (("a", lines), ("b", lines), ("none", [])):
        draw_forest(tmp_path / name, "Title", content, "note")
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    with Image.open(tmp_path / "none") as image:
        assert image.format == "PNG"


def test_a_line_without_an_interval_is_a_hollow_dot_and_is_told(tmp_path):
    few = [Comparison("a", "R@1", "#ff0000", Interval(25.0, missing=TOO_FEW))]
    draw_forest(tmp_path / "few.png", "Title", few, "note")
    known = [Comparison("a", "R@1", "#ff0000", Interval(25.0, 24.0, 26.0))]
    draw_forest(tmp_path / "known.png", "Title", known, "note")
    assert widths(tmp_path / "few.png", "#ff0000")[1] < widths(tmp_path / "known.png", "#ff0000")[1]
    alike = Interval(25.0, missing=ALIKE)
    found = [few[0].interval, None, alike, Interval(0.0, -1.0, 1.0), alike]
    assert why_missing(found) == [TOO_FEW, ALIKE]
    assert why_missing([None, Interval(0.0, -1.0, 1.0)]) == []
    assert difference_cell(few[0].interval) == "+25.00 [–]"
    assert difference_cell(known[0].interval, alike) == "+25.00 [+24.00, +26.00] seeds [–]"


def test_a_difference_that_all_seeds_agree_on_is_a_hollow_dot_and_is_told(tmp_path):
    interval = Interval(25.0, 24.0, 26.0)
    seeds = {"alike": Interval(25.0, missing=ALIKE), "known": Interval(25.0, 24.9, 25.1)}
    for name, over_seeds in seeds.items():
        line = Comparison("a", "R@1", "#ff0000", interval, over_seeds)
        draw_forest(tmp_path / name, "Title", [line], "note")
    assert widths(tmp_path / "alike", "#ff0000")[1] < widths(tmp_path / "known", "#ff0000")[1]
