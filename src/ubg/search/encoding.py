"""Pictures to rows of a gallery, batch by batch."""

import os
import sqlite3
import time
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ubg.runtime.progress import progress_bar
from ubg.search.database import reading, writing
from ubg.search.folders import Folder
from ubg.search.manifest import Manifest
from ubg.search.picture import Picture, read_picture
from ubg.search.rows import RowFile, code_file, vector_file
from ubg.search.walk import Found

if TYPE_CHECKING:
    from ubg.library import TrainedModel

BATCH_SIZE = 64
BATCHES_AHEAD = 2  # that are read while a GPU encodes one: these are all pixels in memory
SMALL = 2**15  # bytes of a file that threads read no faster: most of it is Python, one at a time
SECONDS = 2.0  # of work that a killed process loses at most, but for one batch


@dataclass(frozen=True, slots=True)
class Job:
    """A file to read.

    Attributes:
        folder: that it lies in.
        found: path, size and time.
        before: id of the image that it was; None for a new file.
        hash: of that image; where the file still has it, its vector stays.
    """

    folder: Folder
    found: Found
    before: int | None
    hash: str | None


@dataclass(frozen=True)
class Batch:
    """What is committed together; rows in the order of those pictures that were encoded.

    Attributes:
        jobs: the files.
        pictures: what was read of each, without its pixels.
        encoded: whether there are a vector and codes of a picture.
        vectors_ND: of those that were encoded.
        codes_NL: as `vectors_ND`.
    """

    jobs: Sequence[Job]
    pictures: Sequence[Picture]
    encoded: Sequence[bool]
    vectors_ND: NDArray[np.float32]
    codes_NL: NDArray[Any] | None


def encode_pictures(
    gallery: Path, manifest: Manifest, trained: "TrainedModel", jobs: Sequence[Job]
) -> None:
    """Read and encode the files, and enter them; what cannot be read is entered with its fault.

    Batches are cut in the order of the files, and committed whole: one who goes on after another
    was killed makes the same batches, so the same numbers.

    Args:
        gallery: locked by this process.
        manifest: of the gallery.
        trained: the model that made it, with both scores where it keeps codes.
        jobs: the files.
    """
    writer = _Writer(gallery, manifest)
    with progress_bar("encoding", total=len(jobs), unit="image") as bar:
        for some, pictures in _read_batches(jobs, trained):
            writer.add(_encode(some, pictures, trained, manifest))
            pictures.clear()  # and with them their pixels
            bar.update(len(some))
    writer.commit()


def _read_batches(
    jobs: Sequence[Job], trained: "TrainedModel"
) -> Iterator[tuple[Sequence[Job], list[Picture]]]:
    size = trained.network.image

    def read(job: Job) -> Picture:
        return read_picture(job.folder.path / job.found.path, size.height, size.width, job.hash)

    batches = [jobs[start : start + BATCH_SIZE] for start in range(0, len(jobs), BATCH_SIZE)]
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    with ThreadPoolExecutor(min(cores or 1, 8)) as pool:
        if trained.device.type == "cpu":
            # All cores read, then all encode: the threads of a product wait for each other, and a
            # core that reads in between keeps the others waiting.
            for batch in batches:
                small = all(job.found.size < SMALL for job in batch)
                yield batch, list(map(read, batch) if small else pool.map(read, batch))
            return
        waiting: deque[tuple[Sequence[Job], Iterator[Picture]]] = deque()
        for batch in batches:
            waiting.append((batch, pool.map(read, batch)))
            if len(waiting) > BATCHES_AHEAD:
                ready, pictures = waiting.popleft()
                yield ready, list(pictures)
        for ready, pictures in waiting:
            yield ready, list(pictures)


def _encode(
    jobs: Sequence[Job], pictures: list[Picture], trained: "TrainedModel", manifest: Manifest
) -> Batch:
    pixels = [picture.pixels_HWC for picture in pictures if picture.pixels_HWC is not None]
    vectors_ND = trained.encode_image(pixels).cpu().numpy()
    codes_NL = None
    if manifest.codes is not None:
        codes_NL = trained.image_codes(pixels).astype(manifest.codes.dtype)
    encoded = [picture.pixels_HWC is not None for picture in pictures]
    facts = [replace(picture, pixels_HWC=None) for picture in pictures]
    return Batch(jobs, facts, encoded, vectors_ND, codes_NL)


class _Writer:
    """Rows first, through to the disk, then the transaction that tells of them."""

    def __init__(self, gallery: Path, manifest: Manifest) -> None:
        with reading(gallery) as database:
            (generation,) = database.execute("SELECT generation FROM state").fetchone()
            (last,) = database.execute("SELECT max(row) FROM images").fetchone()
        self.gallery = gallery
        self.next_row = 0 if last is None else last + 1
        self.vectors = vector_file(gallery, manifest, generation)
        self.codes: RowFile | None = None
        if manifest.codes is not None:
            self.codes = code_file(gallery, manifest.codes, generation)
        self.waiting: list[Batch] = []
        self.since = time.monotonic()

    def add(self, batch: Batch) -> None:
        """Commit it soon."""
        self.waiting.append(batch)
        if time.monotonic() - self.since > SECONDS:
            self.commit()

    def commit(self) -> None:
        """Commit what waits."""
        if not self.waiting:
            return
        vectors_ND = np.concatenate([batch.vectors_ND for batch in self.waiting])
        self.vectors.write(self.next_row, vectors_ND.astype(self.vectors.dtype))
        if self.codes is not None:
            codes = [batch.codes_NL for batch in self.waiting if batch.codes_NL is not None]
            self.codes.write(self.next_row, np.concatenate(codes))
        with writing(self.gallery) as database:
            row = self.next_row
            for batch in self.waiting:
                for job, picture, encoded in zip(
                    batch.jobs, batch.pictures, batch.encoded, strict=True
                ):
                    _enter(database, job, picture, row if encoded else None)
                    row += encoded
        self.next_row = row
        self.waiting = []
        self.since = time.monotonic()


def _enter(database: sqlite3.Connection, job: Job, picture: Picture, row: int | None) -> None:
    """Enter a file with its row; without one, it has a fault or the bytes that it had."""
    found = job.found
    if row is None and picture.fault is None:
        database.execute(
            "UPDATE images SET size = ?, modified_ns = ? WHERE id = ?",
            (found.size, found.modified_ns, job.before),
        )
        return
    tags, camera = "", None
    if job.before is not None:
        tags, camera = database.execute(
            "SELECT tags, camera FROM images WHERE id = ?", (job.before,)
        ).fetchone()
        database.execute("UPDATE images SET gone = 1 WHERE id = ?", (job.before,))
    database.execute(
        "INSERT INTO images(folder, path, size, modified_ns, hash, fault, row, width, height, "
        "captured_at, tags, camera) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            job.folder.id,
            found.path,
            found.size,
            found.modified_ns,
            picture.hash,
            picture.fault,
            row,
            picture.width,
            picture.height,
            picture.captured_at,
            tags,
            camera,
        ),
    )
