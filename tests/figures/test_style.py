from PIL import Image

from ubg.figures.style import DPI, figure, undrawable


def test_figure_has_its_size_and_the_same_bytes_twice(tmp_path):
    paths = [tmp_path / "a.png", tmp_path / "b.png"]
    for path in paths:
        with figure(path, 4, 3) as drawing:
            drawing.add_subplot().plot([1, 2, 3])
    assert paths[0].read_bytes() == paths[1].read_bytes()
    with Image.open(paths[0]) as image:
        assert image.size == (4 * DPI, 3 * DPI)
        assert "Software" not in image.info


def test_characters_that_the_font_has_not_are_named_once_and_five_at_most():
    assert undrawable(["A café, “naïve” – ✓ 12 µm\n\t"]) is None
    assert undrawable(["一 red 一", "\U0001f469"]).endswith("has no U+4E00, U+1F469")
    assert undrawable([chr(0x4E00 + place) for place in range(11)]).endswith("U+4E04 and 6 more")
