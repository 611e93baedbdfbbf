"""A gallery as readers have it: a snapshot of its vectors, and what is known of each image."""

import os
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ubg.data.images.decode import decode_image, open_image
from ubg.runtime.opening import Kind, open_file
from ubg.search.database import MAX_ID, check_types, reading
from ubg.search.filters import Filter
from ubg.search.manifest import Manifest, read_manifest
from ubg.search.picture import upright_size
from ubg.search.rows import code_file, vector_file

DAMAGED = "the gallery is damaged: index the folders anew into another one"


@dataclass(frozen=True)
class Entry:
    """What is known of an image.

    Attributes:
        id: stays the same for as long as the file does.
        path: below its folder, with "/".
        folder: absolute, as indexed.
        width: in pixels, upright.
        height: as `width`.
        modified: seconds since the epoch.
        hash: SHA-256 of its bytes.
        captured_at: by EXIF, as "2024-05-01T12:30:00".
        tags: of the table given to the indexing.
        camera: as `tags`.
        duplicates: folder and path, joined, of the other images of the same bytes.
    """

    id: int
    path: str
    folder: str
    width: int
    height: int
    modified: float
    hash: str
    captured_at: str | None
    tags: tuple[str, ...]
    camera: str | None
    duplicates: tuple[str, ...]


@dataclass(frozen=True)
class Facets:
    """What filters may ask for; each is sorted."""

    cameras: list[str]
    tags: list[str]
    folders: list[str]


@dataclass(frozen=True)
class Snapshot:
    """The vectors of one state of a gallery; rows ascend with ids.

    Attributes:
        version: of the state.
        generation: of the files of rows.
        ids_N: id of each row; that of a row that is gone lies between its neighbours'.
        alive_N: whether a row is an image that can be found.
        vectors_ND: unit vectors, memory-mapped, as far as float16 holds them where they are.
        codes_NL: codes, memory-mapped; None where the gallery keeps none.
        twins: rows of images of which there are several of the same bytes.
        twin_groups: which rows of `twins` are the same.
    """

    version: int
    generation: int
    ids_N: NDArray[np.int64]
    alive_N: NDArray[np.bool_]
    vectors_ND: NDArray[np.floating]
    codes_NL: NDArray[Any] | None
    twins: NDArray[np.int64]
    twin_groups: NDArray[np.int64]

    def folded(self, allowed_N: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Of the allowed rows of the same bytes, the first alone."""
        here = allowed_N[self.twins]
        rows = self.twins[here]
        _, first = np.unique(self.twin_groups[here], return_index=True)
        folded_N = allowed_N.copy()
        folded_N[rows] = False
        folded_N[rows[first]] = True
        return folded_N

    def rows_of(self, ids: NDArray[np.int64]) -> NDArray[np.int64]:
        """The rows of those ids that can be found here."""
        if len(self.ids_N) == 0:
            return np.empty(0, np.int64)
        rows = np.searchsorted(self.ids_N, ids).clip(max=len(self.ids_N) - 1)
        return rows[(self.ids_N[rows] == ids) & self.alive_N[rows]]


class Gallery:
    """A reader of one state; a writer does not disturb it, and many threads may use it at once."""

    def __init__(self, path: Path, manifest: Manifest, snapshot: Snapshot) -> None:
        self.path, self.manifest, self.snapshot = path, manifest, snapshot
        self.unfiltered_N = snapshot.folded(snapshot.alive_N)

    @classmethod
    def open(cls, path: str | Path) -> "Gallery":
        """The gallery in a folder, as it is now.

        Raises:
            ValueError: there is none, or it is damaged.
        """
        path = Path(path)
        manifest = read_manifest(path)
        return cls(path, manifest, _read_snapshot(path, manifest))

    def __enter__(self) -> "Gallery":
        return self

    def __exit__(self, *error: object) -> None:
        """Nothing is held open but the memory maps, which end with the object."""

    @property
    def count(self) -> int:
        """Images that can be found, duplicates included."""
        return int(self.snapshot.alive_N.sum())

    @property
    def has_codes(self) -> bool:
        """Whether it can be searched by both scores."""
        return self.snapshot.codes_NL is not None

    def changed(self) -> bool:
        """Whether a writer has committed since this was opened.

        Raises:
            ValueError: the gallery is gone or damaged.
        """
        with reading(self.path) as database:
            (version,) = database.execute("SELECT version FROM state").fetchone()
        return bool(version != self.snapshot.version)

    def entry(self, id: int) -> Entry:
        """What is known of an image.

        Raises:
            ValueError: there is no image of this id.
        """
        return self.entries([id])[0]

    def entries(self, ids: Iterable[int]) -> list[Entry]:
        """What is known of images, in the order asked for.

        Raises:
            ValueError: there is no image of one of the ids.
        """
        with reading(self.path) as database:
            return [_read_entry(database, int(id)) for id in ids]

    def faults(self) -> list[tuple[str, str]]:
        """Path and reason of each picture file that could not be indexed."""
        with reading(self.path) as database:
            return database.execute(
                "SELECT folders.path || '/' || images.path, fault FROM images JOIN folders ON "
                "folders.id = folder WHERE fault IS NOT NULL AND NOT images.gone ORDER BY 1"
            ).fetchall()

    def facets(self) -> Facets:
        """Cameras, tags and folders of its images."""
        with reading(self.path) as database:
            cameras = database.execute(
                "SELECT DISTINCT camera FROM images WHERE NOT gone AND camera IS NOT NULL"
            ).fetchall()
            tags = database.execute("SELECT DISTINCT tags FROM images WHERE NOT gone").fetchall()
            folders = database.execute("SELECT path FROM folders WHERE NOT gone").fetchall()
        return Facets(
            sorted(camera for (camera,) in cameras),
            sorted({tag for (joined,) in tags for tag in _split(joined)}),
            sorted(folder for (folder,) in folders),
        )

    def open_image(self, id: int) -> Image.Image:
        """The image itself, upright, RGB, in its own size.

        Raises:
            ValueError: there is no image of this id, its file is gone or lies outside of its folder
                by a link, or it is no image any more.
        """
        entry = self.entry(id)
        folder = Path(entry.folder)
        path = folder / entry.path
        refusal = ValueError(f"image {id}: its file is gone or no picture any more; index again")
        try:
            if path.resolve(strict=True) != folder.resolve() / entry.path:
                raise refusal
            with open_file(path, Kind.IMAGE, os.O_NOFOLLOW) as file:
                content = file.read(Kind.IMAGE)
        except (OSError, ValueError):
            raise refusal from None
        try:
            with open_image(content) as image:
                width, height = upright_size(image)
            return Image.fromarray(decode_image(content, height, width))
        except ValueError:
            raise refusal from None

    def allowed_rows(self, filter: Filter | None) -> NDArray[np.bool_]:
        """Which rows pass a filter, duplicates folded, [N]."""
        if filter is None or filter.is_empty:
            return self.unfiltered_N
        condition, values = filter.sql
        with reading(self.path) as database:
            ids = database.execute(
                "SELECT images.id FROM images JOIN folders ON folders.id = images.folder WHERE "  # noqa: S608
                f"fault IS NULL AND {condition}",
                values,
            ).fetchall()
        allowed_N = np.zeros(len(self.snapshot.ids_N), bool)
        allowed_N[self.snapshot.rows_of(np.array(ids, np.int64).reshape(-1))] = True
        return self.snapshot.folded(allowed_N)

    def vectors(self, ids: Sequence[int]) -> NDArray[np.float32]:
        """The unit vectors of images, [len(ids), D].

        Raises:
            ValueError: one cannot be found in this state of the gallery.
        """
        vectors_ND = np.empty((len(ids), self.manifest.dimension), np.float32)
        for place, id in enumerate(ids):
            if not 0 <= id <= MAX_ID:
                raise _unknown(id)
            rows = self.snapshot.rows_of(np.array([id], np.int64))
            if len(rows) == 0:
                raise _unknown(id)
            vectors_ND[place] = self.snapshot.vectors_ND[rows[0]]
        if self.manifest.vectors == "float16":  # whose rounding moves the length
            vectors_ND /= np.linalg.norm(vectors_ND, axis=1, keepdims=True)
        return vectors_ND


def _unknown(id: int) -> ValueError:
    return ValueError(f"image {id}: is not in the gallery; name one of a result")


def _read_snapshot(path: Path, manifest: Manifest) -> Snapshot:
    with reading(path) as database:
        state = database.execute("SELECT version, generation FROM state").fetchall()
        check_types(database, path)
        if [type(value) for row in state for value in row] != [int, int]:
            raise ValueError(f"{path}: has other values than numbers for its rows; {DAMAGED}")
        ((version, generation),) = state
        found = database.execute(
            "SELECT row, id, NOT gone FROM images WHERE row IS NOT NULL ORDER BY row"
        ).fetchall()
        twins = database.execute(
            "SELECT row, hash FROM images WHERE NOT gone AND row IS NOT NULL AND hash IN (SELECT "
            "hash FROM images WHERE NOT gone AND row IS NOT NULL GROUP BY hash HAVING count(*) > 1)"
            " ORDER BY row"
        ).fetchall()
        rows_N, ids_N, alive_N = np.array(found, np.int64).reshape(-1, 3).T
        if not np.array_equal(rows_N, np.arange(len(rows_N))) or (np.diff(ids_N) <= 0).any():
            raise ValueError(f"{path}: its rows are out of order; {DAMAGED}")
        # While the transaction is open, no writer can replace the files.
        vectors_ND = vector_file(path, manifest, generation).read(len(rows_N))
        codes_NL = None
        if manifest.codes is not None:
            codes_NL = code_file(path, manifest.codes, generation).read(len(rows_N))
    groups = np.unique([digest for _, digest in twins], return_inverse=True)[1]
    return Snapshot(
        version=version,
        generation=generation,
        ids_N=np.ascontiguousarray(ids_N),
        alive_N=alive_N.astype(bool),
        vectors_ND=vectors_ND,
        codes_NL=codes_NL,
        twins=np.array([row for row, _ in twins], np.int64),
        twin_groups=groups.astype(np.int64),
    )


def _read_entry(database: sqlite3.Connection, id: int) -> Entry:
    if not 0 <= id <= MAX_ID:
        raise _unknown(id)
    row = database.execute(
        "SELECT images.path, folders.path, width, height, modified_ns, captured_at, tags, camera, "
        "hash FROM images JOIN folders ON folders.id = folder WHERE images.id = ? AND fault IS "
        "NULL",
        (id,),
    ).fetchone()
    if row is None:
        raise _unknown(id)
    path, folder, width, height, modified_ns, captured_at, tags, camera, digest = row
    twins = database.execute(
        "SELECT folders.path || '/' || images.path FROM images JOIN folders ON folders.id = folder "
        "WHERE hash = ? AND images.id != ? AND NOT images.gone AND row IS NOT NULL ORDER BY "
        "images.id",
        (digest, id),
    ).fetchall()
    return Entry(
        id=id,
        path=path,
        folder=folder,
        width=width,
        height=height,
        modified=modified_ns / 1e9,
        hash=digest,
        captured_at=captured_at,
        tags=_split(tags),
        camera=camera,
        duplicates=tuple(twin for (twin,) in twins),
    )


def _split(tags: str) -> tuple[str, ...]:
    return tuple(tag for tag in tags.split(";") if tag)
