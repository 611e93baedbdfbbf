"""Tags and cameras come from a table, by relative or absolute paths."""

import pytest
from tiny_gallery import draw_picture, folder_and_model, run_index

from ubg.search.gallery import Gallery
from ubg.search.labels import read_labels


@pytest.fixture
def place(tmp_path, monkeypatch):
    return folder_and_model(tmp_path, monkeypatch)


def test_labels_come_from_a_table_and_stay_with_a_changed_file(place):
    run_index(place)
    table = place / "labels.csv"
    table.write_text("path,tags,camera\ncam0/000.png,night; rain,north\nnobody.png,,x\n")
    report = run_index(place, labels=read_labels(table))
    assert report.labelled == 1
    draw_picture(place / "imgs/cam0/000.png", 99)
    run_index(place)
    with Gallery.open(place / "gallery") as gallery:
        (entry,) = [
            e for e in gallery.entries(gallery.snapshot.ids_N[gallery.snapshot.alive_N]) if e.tags
        ]
        assert (entry.path, entry.tags, entry.camera) == (
            "cam0/000.png",
            ("night", "rain"),
            "north",
        )
        assert gallery.facets().tags == ["night", "rain"]


def label_with(place, text):
    (place / "labels.csv").write_text(text)
    return run_index(place, labels=read_labels(place / "labels.csv"))


def known_of(place, path):
    with Gallery.open(place / "gallery") as gallery:
        (entry,) = [e for e in gallery.entries(gallery.snapshot.ids_N) if e.path == path]
        return entry.tags, entry.camera


def test_an_absolute_path_goes_before_one_below_a_folder(place):
    absolute = (place / "imgs/cam0/000.png").resolve()
    lines = ["cam0/000.png,7", f"{absolute},8"]
    for some in (lines, lines[::-1]):
        report = label_with(place, "\n".join(["path,camera", *some, ""]))
        assert known_of(place, "cam0/000.png") == ((), "8")
        assert (report.labelled, report.unmatched) == (1, [])


def test_an_empty_field_is_none_and_a_missing_column_leaves_what_was_known(place):
    label_with(place, "path,tags,camera\ncam0/000.png,night,north\n")
    label_with(place, "path,tags\ncam0/000.png,rain\n")
    assert known_of(place, "cam0/000.png") == (("rain",), "north")
    label_with(place, "path,camera\ncam0/000.png,\n")
    assert known_of(place, "cam0/000.png") == (("rain",), None)
    label_with(place, "path,tags,camera\ncam0/000.png,,south\n")
    assert known_of(place, "cam0/000.png") == ((), "south")


def test_lines_that_match_no_image_are_told(place):
    text = "path,camera\n./cam0//000.png,7\nnope.jpg,7\n/else/cam0/000.png,7\n"
    report = label_with(place, text)
    assert known_of(place, "cam0/000.png") == ((), "7")
    assert (report.labelled, report.unmatched) == (1, ["nope.jpg", "/else/cam0/000.png"])


def test_two_lines_of_one_path_must_say_the_same(place):
    label_with(place, "path,camera\ncam0/000.png,7\n./cam0/000.png,7\n")
    with pytest.raises(
        ValueError, match=r"labels\.csv: line 3: says something else of 'cam0/000\."
    ):
        label_with(place, "path,camera\ncam0/000.png,7\n./cam0/000.png,8\n")


@pytest.mark.parametrize("table", ["a,b\n1,2\n", "path,tags\nx\n", "path\nx\n", 'path,tags\nx,"\n'])
def test_a_table_that_does_not_fit_is_refused(tmp_path, table):
    (tmp_path / "labels.csv").write_text(table)
    with pytest.raises(ValueError, match=r"labels\.csv"):
        read_labels(tmp_path / "labels.csv")
