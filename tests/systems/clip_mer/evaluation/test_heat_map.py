import numpy as np
import pytest
from PIL import Image, ImageColor

from ubg.data.query_kinds import KINDS
from ubg.figures.style import ORANGE
from ubg.retrieval.bootstrap import Interval
from ubg.systems.clip_mer.evaluation.compare import Compared, Part
from ubg.systems.clip_mer.evaluation.controls_figure import draw_controls
from ubg.systems.clip_mer.evaluation.heat_map import LEADING, draw_heat_map, led_by, worst_harm
from ubg.systems.clip_mer.evaluation.kinds import AVERAGES

NONE = Interval(0.0, -1.0, 1.0)


def compared(*gains):
    parts = {f"part{place}": Part(0.0, 0.0, gain) for place, gain in enumerate(gains)}
    return Compared(0.0, 0.0, 0.0, NONE, NONE, NONE, parts)


def test_a_kind_stands_in_the_row_of_its_leading_part():
    assert sorted(kind for leading in LEADING for kind in led_by(leading)) == sorted(KINDS)
    for leading in LEADING:
        assert [kind.count("+") for kind in led_by(leading)] == [0, 1, 1, 1, 2, 2, 2, 3]


def test_the_worst_of_the_parts_that_hurt():
    low, lower, good = Interval(-1.0), Interval(-2.0), Interval(3.0)
    assert worst_harm(compared(good, low, lower)) == ("part2", lower)
    assert worst_harm(compared(good, Interval(0.0))) is None


def orange_pixels(path):
    with Image.open(path) as image:
        pixels = np.asarray(image.convert("RGB"))
    return int((pixels == ImageColor.getrgb(ORANGE)).all(axis=-1).sum())


@pytest.mark.parametrize(("gain", "least", "most"), [(5.0, 0, 0), (-5.0, 20, 10_000)])
def test_harm_is_marked_in_the_picture(tmp_path, gain, least, most):
    metrics = {kind: {"map": 10.0 + 2 * place} for place, kind in enumerate(KINDS)}
    averages = {name: {"map": 50.0} for name in AVERAGES}
    kinds = {"NIR+SK": compared(Interval(gain, gain - 1, gain + 1), Interval(1.0))}
    draw_heat_map(tmp_path / "map.png", "clip_mer", metrics, averages, kinds)
    assert least <= orange_pixels(tmp_path / "map.png") <= most


def test_harm_that_may_be_chance_has_no_frame(tmp_path):
    metrics = {kind: {"map": 50.0} for kind in KINDS}
    averages = {name: {"map": 50.0} for name in AVERAGES}
    counts = []
    for number, gain in enumerate((Interval(-5.0, -6.0, -4.0), Interval(-5.0, -9.0, 1.0))):
        path = tmp_path / f"{number}.png"
        draw_heat_map(path, "clip_mer", metrics, averages, {"NIR+SK": compared(gain)})
        counts.append(orange_pixels(path))
    assert counts[0] > counts[1] + 100


def test_controls_are_drawn_also_where_there_is_no_interval(tmp_path):
    of = Compared(0.0, 0.0, 0.0, Interval(1.0), NONE, Interval(2.0), {})
    draw_controls(tmp_path / "controls.png", "clip_mer", {"two": of, "three": of})
    assert orange_pixels(tmp_path / "controls.png") > 20
