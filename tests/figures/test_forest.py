import numpy as np
from PIL import Image, ImageColor

from ubg.figures.forest import Comparison, draw_forest
from ubg.retrieval.bootstrap import Interval


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
