from PIL import Image

from ubg.figures.style import DPI, figure


def test_figure_has_its_size_and_the_same_bytes_twice(tmp_path):
    paths = [tmp_path / "a.png", tmp_path / "b.png"]
    for path in paths:
        with figure(path, 4, 3) as drawing:
            drawing.add_subplot().plot([1, 2, 3])
    assert paths[0].read_bytes() == paths[1].read_bytes()
    with Image.open(paths[0]) as image:
        assert image.size == (4 * DPI, 3 * DPI)
        assert "Software" not in image.info
