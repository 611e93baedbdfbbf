"""Drawings follow the page; pictures are small."""

import base64
import io
import re

import numpy as np
import pytest
from PIL import Image

from ubg.figures.style import FAINT, INK
from ubg.report.drawing import draw
from ubg.report.pictures import SHEET_BYTES, TALLEST, WIDEST, crop_uri, sheet_uri


def content(axes):
    axes.plot([0, 1], [0, 1], color=INK, label="<a & b>")
    axes.legend()
    axes.set_xlabel("x")


def test_drawing_is_reproducible_and_follows_colours_and_font_of_the_page():
    svg = str(draw("name", 'a "quoted" <text>', (3, 2), content))
    assert svg == str(draw("name", 'a "quoted" <text>', (3, 2), content))
    for colour in (INK, FAINT, "#e6e6e6", "#ffffff"):
        assert colour not in svg
    assert "var(--ink)" in svg
    assert "&lt;a &amp; b&gt;" in svg  # letters stay letters
    assert "DejaVu" not in svg
    assert "var(--font)" in svg
    assert "<text>" not in svg.partition(">")[0]
    assert "<style" not in svg
    assert "metadata" not in svg


def test_ids_of_two_drawings_differ_and_lead_to_their_own():
    first, second = (str(draw(name, "", (3, 2), content)) for name in ("one", "two"))
    ids = [set(re.findall(r'\bid="([^"]+)"', svg)) for svg in (first, second)]
    assert ids[0]
    assert not ids[0] & ids[1]
    for svg, own in zip((first, second), ids, strict=True):
        used = set(re.findall(r"(?:url\(#|href=\"#)([^)\"]+)", svg))
        assert used
        assert used <= own


def decoded(uri):
    assert uri.startswith("data:image/webp;base64,")
    written = base64.b64decode(uri.partition(",")[2])
    return len(written), Image.open(io.BytesIO(written))


def test_crop_is_bounded():
    size, image = decoded(crop_uri(np.zeros((900, 300, 3), np.uint8)))
    assert image.height == TALLEST
    assert size < 1_000


def test_sheet_is_bounded_even_where_it_is_noise(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (1_500, 1_500, 3), np.uint8)
    Image.fromarray(noise).save(tmp_path / "sheet.png")
    size, image = decoded(sheet_uri(tmp_path / "sheet.png"))
    assert image.width == WIDEST
    assert size < 2 * SHEET_BYTES
    (tmp_path / "none.png").write_text("no picture")
    with pytest.raises(ValueError, match=r"none\.png: is no image of"):
        sheet_uri(tmp_path / "none.png")
