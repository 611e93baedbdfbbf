"""A gallery follows its folders, and says what it left out."""

import os
import re
import sqlite3
import weakref
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, nullcontext
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image
from tiny_gallery import Stub, draw_folder, draw_picture, folder_and_model, run_index

import ubg
from ubg.runtime import locks
from ubg.search import encoding, picture, tidying
from ubg.search.gallery import Gallery
from ubg.search.indexing import Request, index
from ubg.search.walk import walk


@pytest.fixture
def place(tmp_path, monkeypatch):
    return folder_and_model(tmp_path, monkeypatch)


def paths_of(place):
    with Gallery.open(place / "gallery") as gallery:
        return [entry.path for entry in gallery.entries(gallery.snapshot.ids_N[alive(gallery)])]


def alive(gallery):
    return gallery.snapshot.alive_N


def counts(report):
    return report.added, report.changed, report.gone, report.unchanged


def test_vectors_and_codes_are_the_models_in_the_order_of_the_paths(place):
    run_index(place, both_scores=True)
    with Gallery.open(place / "gallery") as gallery:
        entries = gallery.entries(gallery.snapshot.ids_N)
        assert [entry.path for entry in entries] == sorted(entry.path for entry in entries)
        pixels = []
        for entry in entries:
            with Image.open(place / "imgs" / entry.path) as image:
                assert (entry.width, entry.height) == image.size
                small = image.convert("RGB").resize((8, 16), Image.Resampling.BICUBIC)
                pixels.append(np.asarray(small))
        model = Stub()
        np.testing.assert_array_equal(
            gallery.snapshot.vectors_ND, model.encode_image(pixels).numpy()
        )
        np.testing.assert_array_equal(gallery.snapshot.codes_NL, model.image_codes(pixels))


@pytest.mark.parametrize("small", [0, encoding.SMALL])
@pytest.mark.parametrize(("device", "batches"), [("cpu", 1), ("cuda", encoding.BATCHES_AHEAD + 1)])
def test_pixels_are_in_memory_until_they_are_encoded(place, monkeypatch, device, batches, small):
    monkeypatch.setattr(encoding, "SMALL", small)
    read, in_memory = [], []

    class Watched(Stub):
        def encode_image(self, images):
            count()
            return super().encode_image(images)

    def count():
        in_memory.append(sum(pixels() is not None for pixels in list(read)))

    def read_picture(*arguments):
        found = picture.read_picture(*arguments)
        read.append(weakref.ref(found.pixels_HWC))
        count()
        return found

    Watched.device = SimpleNamespace(type=device)
    monkeypatch.setattr(ubg, "load", Watched)
    monkeypatch.setattr(encoding, "read_picture", read_picture)
    monkeypatch.setattr(encoding, "SECONDS", 1000)
    draw_folder(place / "imgs", 40)
    run_index(place)
    assert len(read) == 40
    assert max(in_memory) <= batches * encoding.BATCH_SIZE


def test_what_is_new_changed_or_gone_is_brought_up_to_date_and_nothing_else(place):
    assert counts(run_index(place)) == (10, 0, 0, 0)
    assert counts(run_index(place)) == (0, 0, 0, 10)
    before = Gallery.open(place / "gallery")
    assert not before.changed()
    (place / "imgs/cam0/000.png").unlink()
    draw_picture(place / "imgs/cam1/001.png", 77)
    draw_picture(place / "imgs/cam9/a.png", 78)
    os.utime(place / "imgs/cam2/002.png")  # another time, the same bytes
    assert counts(run_index(place)) == (1, 2, 1, 7)
    assert before.changed()
    after = Gallery.open(place / "gallery")
    assert after.count == 10
    ids = {entry.path: entry.id for entry in after.entries(after.snapshot.ids_N[alive(after)])}
    old = {entry.path: entry.id for entry in before.entries(before.snapshot.ids_N)}
    assert "cam0/000.png" not in ids
    assert ids["cam2/002.png"] == old["cam2/002.png"]
    assert ids["cam1/001.png"] > max(old.values())
    assert counts(run_index(place)) == (0, 0, 0, 10)


def test_hidden_files_links_and_what_is_excluded_are_left_out(place):
    draw_picture(place / "imgs/.hidden/a.png", 1)
    draw_picture(place / "imgs/.b.png", 1)
    draw_picture(place / "elsewhere/c.png", 1)
    (place / "imgs/link.png").symlink_to(place / "elsewhere/c.png")
    (place / "imgs/linked").symlink_to(place / "elsewhere")
    (place / "imgs/notes.txt").write_text("no picture")
    run_index(place, exclude=["cam1/", "cam2/*5.png", "cam2/008.png/"])  # the last is no folder
    kept = ["cam0/000.png", "cam0/003.png", "cam0/006.png", "cam0/009.png"]
    assert paths_of(place) == [*kept, "cam2/002.png", "cam2/008.png"]
    run_index(place)  # remembered
    assert len(paths_of(place)) == 6
    run_index(place, exclude=[])
    assert len(paths_of(place)) == 10


@pytest.mark.parametrize("pattern", ["cam1", "cam1/", "in/cam1", "in/cam1/", "*/cam?/", "cam[1]/"])
def test_a_folder_is_excluded_by_name_or_path_with_a_slash_or_without(tmp_path, pattern):
    for name in ("in/cam1/a.png", "in/cam1.png", "in/cam10.png", "b.png"):
        draw_picture(tmp_path / name, 1)
    found = [found.path for found in walk(tmp_path, [pattern]).files]
    assert found == ["b.png", "in/cam1.png", "in/cam10.png"]


def test_broken_files_are_listed_and_read_again_only_when_they_change(place):
    (place / "imgs/broken.jpg").write_bytes(b"\xff\xd8\xff nothing")
    (place / "imgs/empty.png").touch()
    assert counts(run_index(place)) == (12, 0, 0, 0)
    with Gallery.open(place / "gallery") as gallery:
        assert gallery.count == 10
        faults = {Path(path).name: fault for path, fault in gallery.faults()}
    assert faults.keys() == {"broken.jpg", "empty.png"}
    assert faults["empty.png"] == "has no bytes"
    assert faults["broken.jpg"].startswith("is no image of a known format")
    assert counts(run_index(place)) == (0, 0, 0, 12)
    draw_picture(place / "imgs/broken.jpg", 3)
    assert counts(run_index(place)) == (0, 1, 0, 11)
    assert "broken.jpg" in paths_of(place)


def test_a_name_that_is_no_utf8_is_listed(place):
    draw_picture(place / "imgs/x.png", 3)
    (place / "imgs/x.png").rename(os.fsdecode(os.fsencode(place / "imgs") + b"/\xff.png"))
    assert run_index(place).unreadable == [
        (f"{place}/imgs/\\xff.png", "its name is no UTF-8; rename it")
    ]


def test_exif_turns_the_image_and_says_when_it_was_taken(place):
    exif = Image.Exif()
    exif[0x0112] = 6
    exif.get_ifd(0x8769)[0x9003] = "2024:05:01 12:30:05"
    draw_picture(place / "imgs/turned.jpg", 5, exif=exif)
    run_index(place)
    with Gallery.open(place / "gallery") as gallery:
        *_, entry = gallery.entries(gallery.snapshot.ids_N)
        assert (entry.width, entry.height) == (20, 9)
        assert entry.captured_at == "2024-05-01T12:30:05"
        assert gallery.open_image(entry.id).size == (20, 9)


@pytest.mark.parametrize(
    ("orientation", "turned"),
    [
        (1, lambda stored: stored),
        (2, lambda stored: stored[:, ::-1]),
        (3, lambda stored: stored[::-1, ::-1]),
        (6, lambda stored: np.rot90(stored, -1)),
        (8, np.rot90),
    ],
)
def test_the_vector_is_that_of_the_upright_pixels(place, orientation, turned):
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = place / "turned/a.png"
    draw_picture(path, 5, (16, 8) if orientation > 4 else (8, 16), exif=exif)
    with Image.open(path) as image:
        upright = turned(np.asarray(image))
    run_index(place, ["turned"])
    with Gallery.open(place / "gallery") as gallery:
        expected = Stub().encode_image([upright]).numpy()
        np.testing.assert_array_equal(gallery.snapshot.vectors_ND, expected)


def test_where_a_picture_was_taken_is_kept_nowhere(place):
    exif = Image.Exif()
    exif.get_ifd(0x8825).update({1: "N", 2: (48.0, 8.0, 14.6), 28: b"SECRETPLACE"})
    draw_picture(place / "taken/a.jpg", 5, exif=exif)
    assert b"SECRETPLACE" in (place / "taken/a.jpg").read_bytes()
    run_index(place, ["taken"])
    assert not any(b"SECRETPLACE" in path.read_bytes() for path in (place / "gallery").iterdir())
    with closing(sqlite3.connect(place / "gallery/gallery.sqlite")) as database:
        database.row_factory = sqlite3.Row
        (row,) = database.execute("SELECT * FROM images").fetchall()
    assert [key for key in row.keys() if row[key] is not None] == [  # noqa: SIM118
        *("id", "folder", "path", "size", "modified_ns", "hash", "row", "width", "height"),
        *("tags", "gone"),
    ]
    assert row["tags"] == ""


def test_a_second_indexing_waits_while_one_is_at_work(place, monkeypatch, capsys):
    monkeypatch.setattr(locks, "PATIENCE", 0.05)
    with ThreadPoolExecutor(1) as pool:
        with locks.locked(place / "gallery"):
            second = pool.submit(run_index, place)
            told = ""
            while "waiting for" not in told:
                assert not second.done()
                told += capsys.readouterr().out
            assert not (place / "gallery").exists()
        assert counts(second.result()) == (10, 0, 0, 0)


def test_several_folders_one_within_another_and_one_left_out(place):
    draw_folder(place / "more", 3)
    run_index(place, ["imgs", "more", "imgs/cam0"])
    assert len(paths_of(place)) == 13
    with pytest.raises(ValueError, match="overlaps"):
        run_index(place, ["imgs/cam0"])
    run_index(place, ["more"])  # of one folder alone: nothing else is gone
    assert len(paths_of(place)) == 13
    for _ in range(2):  # the same command goes on after it was killed
        run_index(place, [], forget=[place / "more"])
    assert len(paths_of(place)) == 10
    with pytest.raises(ValueError, match="imgz: is no folder; correct the path"):
        run_index(place, ["imgz"])
    (place / "imgs").rename(place / "moved")
    with pytest.raises(ValueError, match="is no folder; if it is gone for good"):
        run_index(place, [])


def test_another_model_or_a_folder_of_something_else_is_refused(place):
    run_index(place)
    (place / "model/config.json").write_text("{}")
    order = f"`ubg index FOLDER --gallery ANOTHER --model {place / 'model'}`"
    with pytest.raises(ValueError, match=f"another model .*{re.escape(order)}"):
        run_index(place)
    with pytest.raises(ValueError, match="something else"):
        index(place / "imgs", Request([place / "imgs"], place / "model"))
    with pytest.raises(ValueError, match="there is no gallery"):
        index(place / "none", Request([], place / "model"))


def test_codes_are_asked_for_when_the_gallery_is_made(place):
    run_index(place)
    with pytest.raises(ValueError, match="keeps no codes"):
        run_index(place, both_scores=True)


def test_vectors_in_float16_take_half_the_space(place):
    run_index(place, float16=True)
    run_index(place)  # it stays so
    (place / "whole").mkdir()
    index(place / "whole/gallery", Request([place / "imgs"], place / "model"))
    with Gallery.open(place / "gallery") as half, Gallery.open(place / "whole/gallery") as whole:
        kept, rounded = whole.snapshot.vectors_ND, half.snapshot.vectors_ND
        np.testing.assert_array_equal(rounded, kept.astype(np.float16))
        ids = half.snapshot.ids_N
        np.testing.assert_allclose(np.linalg.norm(half.vectors(ids), axis=1), 1, atol=1e-6)
    assert (place / "gallery/vectors.0.float16").stat().st_size == 2 * rounded.size
    with pytest.raises(ValueError, match="keeps its vectors in float32"):
        index(place / "whole/gallery", Request([], float16=True))


def test_rows_are_written_anew_when_most_are_gone_and_a_reader_keeps_its_own(place, monkeypatch):
    monkeypatch.setattr(tidying, "SPARE_ROWS", 3)
    run_index(place, both_scores=True)
    before = Gallery.open(place / "gallery")
    kept = before.snapshot.vectors_ND.copy()
    for path in sorted((place / "imgs").rglob("*.png"))[:7]:
        path.unlink()
    run_index(place)
    after = Gallery.open(place / "gallery")
    assert after.snapshot.generation == 1
    np.testing.assert_array_equal(after.snapshot.vectors_ND, kept[7:])
    np.testing.assert_array_equal(after.snapshot.ids_N, before.snapshot.ids_N[7:])
    np.testing.assert_array_equal(before.snapshot.vectors_ND, kept)
    assert sorted(path.name for path in (place / "gallery").glob("*.[01].*")) == [
        "codes.1.uint8",
        "vectors.1.float32",
    ]


def test_room_for_what_is_new_is_asked_for_before_it_is_encoded(place, monkeypatch):
    """A vector of 12 float32, 6 codes, 300 bytes of the database: 354 of each image."""
    for free, told in ((3540, False), (3539, True)):
        usage = SimpleNamespace(free=free)
        monkeypatch.setattr("ubg.runtime.files.shutil.disk_usage", lambda path, usage=usage: usage)
        folder = place / f"{free}"
        request = Request([place / "imgs"], place / "model", both_scores=True)
        with pytest.raises(ValueError, match="free some space") if told else nullcontext():
            index(folder, request)
        assert bool(list(folder.glob("vectors*"))) != told


def test_a_gallery_keeps_the_name_of_its_model_and_not_where_a_link_leads(place):
    (place / "link").symlink_to(place / "model")
    request = Request([place / "imgs"], place / "link")
    index(place / "gallery", request)
    assert Gallery.open(place / "gallery").manifest.model == str(place / "link")


def test_no_file_outside_of_the_folders_is_opened(place):
    run_index(place)
    draw_picture(place / "secret.png", 1)
    with Gallery.open(place / "gallery") as gallery:
        first, second, third = gallery.entries(gallery.snapshot.ids_N[:3])
        assert gallery.open_image(third.id).size == (9, 20)
        path = place / "imgs" / first.path
        path.unlink()
        path.symlink_to(place / "secret.png")
        with pytest.raises(ValueError, match="gone or no picture"):
            gallery.open_image(first.id)
        (place / "imgs/cam0").rename(place / "cam0")
        (place / "imgs/cam0").symlink_to(place / "cam0")
        with pytest.raises(ValueError, match="gone or no picture"):
            gallery.open_image(second.id)
        with pytest.raises(ValueError, match="is not in the gallery"):
            gallery.open_image(999)
