"""The figure of the annotations is drawn for any distributions, with the same bytes each time."""

import numpy as np
import pytest
from PIL import Image

from ubg.dataset_report.annotation_figure import draw_annotations
from ubg.dataset_report.distributions import Distributions


def of(**by_split):
    return {split: np.array(values) for split, values in by_split.items()}


CASES = {
    "one value": Distributions(*[of(train=[2, 2])] * 4),
    "many values and splits": Distributions(
        *[of(train=np.arange(500), val=np.arange(50), test=[400, 3])] * 4
    ),
    "test alone, without captions of an image": Distributions(
        of(test=[0, 0]), of(test=[0, 5]), of(test=[7]), of(test=[9])
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_figure_is_drawn(tmp_path, name):
    for path in (tmp_path / "a.png", tmp_path / "b.png"):
        draw_annotations(path, "X", CASES[name], 77)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    with Image.open(tmp_path / "a.png") as image:
        assert np.asarray(image.convert("L")).std() > 5
