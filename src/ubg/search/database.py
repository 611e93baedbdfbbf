"""The metadata of a gallery: one SQLite file, opened anew for each use, so by any thread."""

import errno
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import cache
from pathlib import Path

from ubg.runtime.faults import quoted
from ubg.runtime.opening import Kind, check_file

DATABASE = "gallery.sqlite"
MAX_ID = 2**63 - 1  # of SQLite
PATIENCE = 60.0  # seconds that one waits for another's transaction, which takes milliseconds

# An image keeps its id for good; a changed file is another image. `row` is the place of its vector;
# rows and ids ascend together. What is `gone` still tells readers of before what they had found; it
# loses its row when the rows are written anew, and is deleted when they are once more.
SCHEMA = """
CREATE TABLE folders(
    id INTEGER PRIMARY KEY,
    path TEXT NOT NULL UNIQUE,
    exclude TEXT NOT NULL,
    gone INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE images(
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    folder INTEGER NOT NULL REFERENCES folders,
    path TEXT NOT NULL,
    size INTEGER NOT NULL,
    modified_ns INTEGER NOT NULL,
    hash TEXT,
    fault TEXT,
    row INTEGER,
    width INTEGER,
    height INTEGER,
    captured_at TEXT,
    tags TEXT NOT NULL DEFAULT '',
    camera TEXT,
    gone INTEGER NOT NULL DEFAULT 0
);
CREATE UNIQUE INDEX image_of_path ON images(folder, path) WHERE NOT gone;
CREATE INDEX image_of_hash ON images(hash) WHERE NOT gone AND row IS NOT NULL;
CREATE TABLE state(version INTEGER NOT NULL, generation INTEGER NOT NULL);
INSERT INTO state VALUES (0, 0);
"""


def create_database(gallery: Path) -> None:
    """An empty one; replaces what was there."""
    path = gallery / DATABASE
    for name in (DATABASE, f"{DATABASE}-journal"):
        (gallery / name).unlink(missing_ok=True)
    try:
        with closing(sqlite3.connect(path)) as database:
            database.executescript(SCHEMA)
    except sqlite3.Error as error:
        _raise_of_the_disk(error, path)
        raise ValueError(f"{path}: {error}; see to the disk, and index again") from None


@contextmanager
def reading(gallery: Path) -> Iterator[sqlite3.Connection]:
    """A connection of one consistent state that cannot write.

    Raises:
        ValueError: the file is missing or damaged, or has other tables than a gallery.
        OSError: the disk is full, or cannot be written.
    """
    with _connected(gallery) as database:
        database.execute("PRAGMA query_only = 1")
        database.execute("BEGIN")
        yield database


@contextmanager
def writing(gallery: Path) -> Iterator[sqlite3.Connection]:
    """A connection whose changes are all kept when the block ends well, and none otherwise.

    Raises:
        ValueError: as `reading`.
        OSError: as `reading`.
    """
    with _connected(gallery) as database:
        database.execute("BEGIN IMMEDIATE")
        yield database
        database.execute("UPDATE state SET version = version + 1")
        database.execute("COMMIT")


@contextmanager
def _connected(gallery: Path) -> Iterator[sqlite3.Connection]:
    # Readers too may write: the first one after a killed writer undoes what that one had begun.
    path = (gallery / DATABASE).resolve()
    try:
        check_file(path, Kind.PACK)
        database = sqlite3.connect(
            f"{path.as_uri()}?mode=rw", uri=True, timeout=PATIENCE, isolation_level=None
        )
        try:
            _check_schema(database, gallery)
            yield database
        finally:
            database.close()  # rolls back what was not committed
    except (OSError, sqlite3.Error, UnicodeDecodeError) as error:
        _raise_of_the_disk(error, path)
        reason = quoted(" ".join(str(error).split()))  # it may cite the file
        raise ValueError(
            f"{gallery / DATABASE}: {reason}; the gallery is damaged or busy: try again, or index "
            "the folders anew into another gallery"
        ) from None


def _raise_of_the_disk(error: Exception, path: Path) -> None:
    """Raise what the disk refuses as the error of the system that it is."""
    code = getattr(error, "sqlite_errorcode", None)
    number = None if code is None else _OF_THE_DISK.get(code, _OF_THE_DISK.get(code & 0xFF))
    if number is not None:
        raise OSError(number, os.strerror(number), str(path)) from None


_OF_THE_DISK = {
    sqlite3.SQLITE_FULL: errno.ENOSPC,
    sqlite3.SQLITE_IOERR_WRITE: errno.EFBIG,
    sqlite3.SQLITE_READONLY: errno.EROFS,
}


def _check_schema(database: sqlite3.Connection, gallery: Path) -> None:
    """Refuse a view in place of a table, which may never end, and triggers, which run with ours."""
    if _entries(database) != _own_entries():
        raise ValueError(
            f"{gallery / DATABASE}: has other tables than a gallery; it is damaged or of another "
            "version: index the folders anew into another gallery"
        )


def check_types(database: sqlite3.Connection, gallery: Path) -> None:
    """Refuse values of another type than their column has; SQLite keeps any value anywhere.

    Raises:
        ValueError: there is one; reads every row.
    """
    for table in ("folders", "images", "state"):
        columns = database.execute(f"PRAGMA table_info({table})").fetchall()
        others = " OR ".join(  # NOT IN takes 1.6 times as long
            f"typeof({name}) != '{kind.lower()}'" + ("" if required else f" AND {name} IS NOT NULL")
            for _, name, kind, required, *_ in columns
        )
        if table == "images":  # what was indexed has a size and a hash
            others += " OR row IS NOT NULL AND (width IS NULL OR height IS NULL OR hash IS NULL)"
        ((odd,),) = database.execute(f"SELECT EXISTS (SELECT 1 FROM {table} WHERE {others})")  # noqa: S608 -- names of ours
        if odd:
            raise ValueError(
                f"{gallery / DATABASE}: has other values than numbers and texts in a column for "
                "them; the gallery is damaged: index the folders anew into another one"
            )


def _entries(database: sqlite3.Connection) -> set[tuple[str, ...]]:
    # ANALYZE adds tables of SQLite's own, whose names nobody else may take.
    return set(
        database.execute(
            "SELECT type, name, tbl_name, sql FROM sqlite_master WHERE name NOT LIKE 'sqlite\\_%' "
            "ESCAPE '\\'"
        )
    )


@cache
def _own_entries() -> set[tuple[str, ...]]:
    with closing(sqlite3.connect(":memory:")) as database:
        database.executescript(SCHEMA)
        return _entries(database)
