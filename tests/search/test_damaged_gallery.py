"""A gallery that is damaged, or that a stranger made, is refused in a line."""

import errno
import json
import sqlite3
from contextlib import closing

import pytest
from tiny_gallery import draw_picture, folder_and_model, run_index

from ubg.search.database import writing
from ubg.search.gallery import Gallery


@pytest.fixture
def place(tmp_path, monkeypatch):
    return folder_and_model(tmp_path, monkeypatch)


def change_database(place, script):
    with closing(sqlite3.connect(place / "gallery/gallery.sqlite")) as database:
        database.executescript(script)


def assert_refused(place, told):
    """To be opened, and to be indexed."""
    for use in (lambda: Gallery.open(place / "gallery"), lambda: run_index(place)):
        with pytest.raises(ValueError, match=told) as caught:
            use()
        assert "\n" not in str(caught.value)


def test_damage_is_said_in_a_line(place):
    run_index(place)
    (vectors,) = (place / "gallery").glob("vectors*")
    vectors.write_bytes(vectors.read_bytes()[:-4])
    with pytest.raises(ValueError, match="damaged"):
        Gallery.open(place / "gallery")
    (place / "gallery/gallery.sqlite").write_bytes(b"nothing" * 1000)
    with pytest.raises(ValueError, match=r"gallery\.sqlite"):
        Gallery.open(place / "gallery")
    (place / "gallery/manifest.json").write_text('{"format": 2}')
    with pytest.raises(ValueError, match=r"manifest\.json"):
        Gallery.open(place / "gallery")


def test_a_full_disk_is_no_damage(place):
    run_index(place)

    def fill():
        with writing(place / "gallery") as database:
            (pages,) = database.execute("PRAGMA page_count").fetchone()
            database.execute(f"PRAGMA max_page_count = {pages}")
            database.execute("INSERT INTO folders VALUES (NULL, ?, '[]', 0)", ("x" * 9999,))

    with pytest.raises(OSError, match="No space left") as caught:
        fill()
    assert caught.value.errno == errno.ENOSPC
    assert caught.value.filename == str(place / "gallery/gallery.sqlite")
    assert Gallery.open(place / "gallery").facets().folders == [str(place / "imgs")]


def test_a_schema_that_is_no_text_is_refused_with_the_name_of_the_file(place):
    run_index(place)
    path = place / "gallery/gallery.sqlite"
    path.write_bytes(path.read_bytes().replace(b"CREATE TABLE state", b"CREATE T\xecBLE state"))
    assert_refused(place, r"gallery\.sqlite: .*can't decode.*; the gallery is damaged")


ENDLESS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT"


@pytest.mark.parametrize(
    "change",
    [
        f"DROP TABLE state; CREATE VIEW state AS {ENDLESS} i AS version, i AS generation FROM n",
        "ALTER TABLE images RENAME TO was; CREATE VIEW images AS SELECT * FROM was, was AS other",
        "CREATE TRIGGER t AFTER UPDATE ON state BEGIN DELETE FROM images; END",
        "CREATE TABLE more(a)",
        "DROP INDEX image_of_hash",
        "DROP TABLE images",
    ],
)
def test_a_gallery_with_other_tables_is_refused(place, change):
    """Views that never end among them: nothing is asked of it."""
    run_index(place)
    change_database(place, change)
    assert_refused(place, r"gallery\.sqlite: has other tables")


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE images SET row = 'a' WHERE row = 1",
        "UPDATE images SET gone = 'a' WHERE row = 1",
        "UPDATE state SET generation = '../../x'",
        "UPDATE images SET tags = x'ff00'",
        "UPDATE images SET modified_ns = 'abc'",
        "UPDATE images SET size = 1.5",
        "UPDATE images SET width = 'abc'",
        "UPDATE images SET height = NULL",
        "UPDATE images SET hash = x'ff' WHERE row = 1",
        "UPDATE images SET hash = NULL WHERE row = 1",
        "UPDATE images SET camera = x'00' WHERE row = 1",
        "UPDATE images SET captured_at = x'00' WHERE row = 1",
        "UPDATE images SET path = x'ff' WHERE row = 1",
        "UPDATE folders SET path = x'ff'",
    ],
)
def test_a_gallery_with_values_of_another_type_is_refused(place, change):
    run_index(place)
    change_database(place, change)
    assert_refused(place, r"other values than numbers and texts")


@pytest.mark.parametrize("change", ["DELETE FROM state", "INSERT INTO state SELECT * FROM state"])
def test_a_gallery_of_no_state_or_two_is_refused(place, change):
    run_index(place)
    change_database(place, change)
    with pytest.raises(ValueError, match=r"other values than numbers .* the gallery is damaged"):
        Gallery.open(place / "gallery")


def test_a_gallery_that_sqlite_has_analysed_is_read(place):
    run_index(place)
    with closing(sqlite3.connect(place / "gallery/gallery.sqlite")) as database:
        database.executescript("ANALYZE")
        assert database.execute("SELECT count(*) FROM sqlite_stat1").fetchone() > (0,)
    assert Gallery.open(place / "gallery").count == 10
    run_index(place)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (("dimension", 13), r"dimension: 13, where the model has 12"),
        (("length", 7), r"one of 5 at 7 places, where the model has one of 5 at 6"),
        (("count", 4), r"one of 4 at 6 places"),
    ],
)
def test_sizes_of_a_manifest_are_compared_with_the_model(place, change, told):
    run_index(place, both_scores=True)
    path = place / "gallery/manifest.json"
    values = json.loads(path.read_text())
    (values if change[0] == "dimension" else values["codes"]).update([change])
    path.write_text(json.dumps(values))
    draw_picture(place / "imgs/new.png", 99)
    with pytest.raises(ValueError, match=told):
        run_index(place, both_scores=True)


@pytest.mark.parametrize("exclude", ["[" * 100_000, "{}", "[1]", "x", ""])
def test_a_gallery_whose_folders_exclude_no_list_is_refused(place, exclude):
    run_index(place)
    with closing(sqlite3.connect(place / "gallery/gallery.sqlite")) as database, database:
        database.execute("UPDATE folders SET exclude = ?", (exclude,))
    with pytest.raises(ValueError, match=r"gallery\.sqlite: what is left out of a folder"):
        run_index(place)
