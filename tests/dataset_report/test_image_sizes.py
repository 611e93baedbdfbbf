"""Sizes come from the headers of the files; the report names the extremes."""

import pandas as pd
import pytest
import sections
from PIL import Image as PillowImage

from ubg.dataset_report.image_sizes import read_sizes, write_image_report

WANTED = sections.image(height=192, width=64, max_broken=0)


@pytest.fixture
def images(tmp_path):
    folder = tmp_path / "imgs"
    folder.mkdir()
    sizes = {"small.png": (13, 34), "large.jpg": (374, 800), "wide.bmp": (90, 60)}
    for name, size in sizes.items():
        PillowImage.new("RGB", size, "grey").save(folder / name)
    return folder


def table_of(*paths):
    ids = [-1 if not path else number for number, path in enumerate(paths)]
    return pd.DataFrame({"image_id": ids, "image_path": paths})


def test_sizes_are_those_of_the_files_and_broken_ones_are_counted(images):
    (images / "broken.png").write_bytes(b"no image")
    sizes = read_sizes(["small.png", "broken.png", "large.jpg"], images)
    assert sizes.paths == ["small.png", "large.jpg"]
    assert sizes.widths.tolist() == [13, 374]
    assert sizes.heights.tolist() == [34, 800]
    assert sizes.formats == {"PNG": 1, "JPEG": 1}
    assert sizes.broken == 1


def test_report_names_the_extremes_and_opens_no_image_twice(images, tmp_path):
    table = table_of("small.png", "large.jpg", "wide.bmp", "large.jpg", "")
    table.loc[3, "image_id"] = 1
    write_image_report(table, images, WANTED, "X (synthetic)", tmp_path / "report")
    text = (tmp_path / "report" / "report.md").read_text()
    assert text.startswith("# X (synthetic): images\n")
    assert "| images | 3: PNG 1, JPEG 1, BMP 1 |" in text
    assert "34x13 (`'small.png'`)" in text
    assert "800x374 (`'large.jpg'`)" in text
    assert "| enlarged to 192x64 both ways | 1 (33.3 %) |" in text
    assert "| wider than high | 1 (33.3 %) |" in text
    assert (tmp_path / "report" / "sizes.png").stat().st_size > 1000


def test_names_hold_whatever_a_file_system_holds(images, tmp_path):
    """A name that is no UTF-8 reaches Python with lone surrogates."""
    name = "a|b`\udcff.png"
    try:
        (images / "small.png").rename(images / name)
    except OSError:
        pytest.skip("the file system takes UTF-8 alone")
    write_image_report(table_of(name), images, WANTED, "X", tmp_path / "report")
    assert r"(`'a\|b'\udcff.png'`)" in (tmp_path / "report" / "report.md").read_text()


def test_images_of_one_size_are_drawn_too(images, tmp_path):
    write_image_report(table_of("small.png"), images, WANTED, "X", tmp_path / "report")
    assert (tmp_path / "report" / "sizes.png").is_file()
