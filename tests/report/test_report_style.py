from PIL import Image

from ubg.report.style import COLOURS, DPI, dataset_label, figure
from ubg.systems import SYSTEMS


def test_every_system_has_a_colour_of_its_own_in_the_order_of_the_ladder():
    assert [name for name in COLOURS if name in SYSTEMS] == list(SYSTEMS)
    assert len(set(COLOURS.values())) == len(COLOURS)


def test_figure_has_its_size_and_the_same_bytes_twice(tmp_path):
    paths = [tmp_path / "a.png", tmp_path / "b.png"]
    for path in paths:
        with figure(path, 4, 3) as drawing:
            drawing.add_subplot().plot([1, 2, 3])
    assert paths[0].read_bytes() == paths[1].read_bytes()
    with Image.open(paths[0]) as image:
        assert image.size == (4 * DPI, 3 * DPI)
        assert "Software" not in image.info


def test_label_says_synthetic_once():
    assert dataset_label("Drawn", True) == "Drawn (synthetic)"
    assert dataset_label("SynthPEDES (synthetic)", True) == "SynthPEDES (synthetic)"
    assert dataset_label("CUHK-PEDES", False) == "CUHK-PEDES"
