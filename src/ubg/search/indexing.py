"""Bringing a gallery up to date with its folders: what `ubg index` does."""

import sqlite3
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ubg.model_fingerprint import codes_fingerprint, model_fingerprint
from ubg.runtime.files import require_space
from ubg.runtime.locks import locked
from ubg.search.database import DATABASE, check_types, create_database, reading, writing
from ubg.search.encoding import Job, encode_pictures
from ubg.search.folders import Folder, chosen_folders, forget_folder
from ubg.search.labels import Label, apply_labels
from ubg.search.manifest import (
    FORMAT,
    MANIFEST,
    Codes,
    Manifest,
    read_manifest,
    write_manifest,
)
from ubg.search.tidying import remove_strays, tidy
from ubg.search.walk import walk

if TYPE_CHECKING:
    from ubg.library import TrainedModel

DATABASE_BYTES = 300  # of a line and its places in the indexes, about


@dataclass(frozen=True)
class Request:
    """What to index.

    Attributes:
        folders: none stand for all that the gallery knows.
        model: folder of a trained model; None for the one that the gallery was made with.
        both_scores: keep the codes of a second score too; a gallery is made with them or without.
        float16: keep vectors in half the space; a gallery is made with it or without.
        exclude: patterns of what to leave out, kept for the next time; None for those of last time.
        labels: of images, by path.
        forget: folders whose images are to be left out from now on.
    """

    folders: Sequence[Path]
    model: Path | None = None
    both_scores: bool = False
    float16: bool = False
    exclude: Sequence[str] | None = None
    labels: dict[str, Label] = field(default_factory=dict)
    forget: Sequence[Path] = ()


@dataclass
class Report:
    """What was done: numbers of files, what could not be read, labels of no image."""

    added: int = 0
    changed: int = 0
    gone: int = 0
    unchanged: int = 0
    labelled: int = 0
    unreadable: list[tuple[str, str]] = field(default_factory=list)
    unmatched: list[str] = field(default_factory=list)


class Known(NamedTuple):
    """A file as the gallery knows it."""

    id: int
    size: int
    modified_ns: int


def index(gallery: Path, request: Request) -> Report:
    """Make the gallery, or bring it up to date; waits while another process does.

    Killed at any moment, it leaves a gallery that can be read, and the next call goes on.

    Raises:
        ValueError: a folder is missing, the model is another one than the gallery's, the folder of
            the gallery holds something else, the gallery is damaged, or there is no room for what
            is new.
    """
    gallery = gallery.resolve()
    gallery.parent.mkdir(parents=True, exist_ok=True)
    with locked(gallery):
        manifest, load = _manifest(gallery, request)
        with reading(gallery) as database:
            check_types(database, gallery)
        remove_strays(gallery)
        for path in request.forget:
            forget_folder(gallery, path.resolve())
        report, jobs = Report(), []
        for folder in chosen_folders(gallery, request.folders, request.exclude):
            jobs += _compare(gallery, folder, report)
        if jobs:
            require_space(gallery / DATABASE, len(jobs) * _bytes_of_image(manifest))
            encode_pictures(gallery, manifest, load(), jobs)
        report.labelled, report.unmatched = apply_labels(gallery, request.labels)
        tidy(gallery, manifest)
        return report


def _manifest(gallery: Path, request: Request) -> tuple[Manifest, "Callable[[], TrainedModel]"]:
    """What the gallery was made with, and that model, which is loaded when it is needed."""
    import ubg

    if (gallery / MANIFEST).exists():
        manifest = read_manifest(gallery)
        model = request.model or Path(manifest.model)
        manifest.require(model, request.both_scores)
        if request.float16 and manifest.vectors != "float16":
            raise ValueError(
                f"{gallery}: keeps its vectors in {manifest.vectors}; index the folders anew into "
                f"another gallery with `ubg index FOLDER --gallery ANOTHER --model {model} "
                "--float16`"
            )

        def load() -> "TrainedModel":
            both_scores = manifest.codes is not None
            trained = ubg.load(model, both_scores=both_scores)
            manifest.require_sizes(trained, both_scores)
            return trained

        return manifest, load
    if gallery.exists() and not _is_unfinished(gallery):
        raise ValueError(f"{gallery}: holds something else than a gallery; name a new folder")
    if request.model is None or not request.folders:
        raise ValueError(
            f"{gallery}: there is no gallery; make one with `ubg index FOLDER --model MODEL "
            f"--gallery {gallery}`"
        )
    trained = ubg.load(request.model, both_scores=request.both_scores)
    manifest = _new_manifest(trained, request.model.absolute(), request)
    gallery.mkdir(exist_ok=True)
    create_database(gallery)
    write_manifest(gallery, manifest)  # last: with it, the folder is a gallery
    return manifest, lambda: trained


def _bytes_of_image(manifest: Manifest) -> int:
    """What an image takes on the disk: its vector, its codes, and its line in the database."""
    size = np.dtype(manifest.vectors).itemsize * manifest.dimension + DATABASE_BYTES
    if manifest.codes is not None:
        size += np.dtype(manifest.codes.dtype).itemsize * manifest.codes.length
    return size


def _is_unfinished(gallery: Path) -> bool:
    """Whether there is nothing in it, or only what a killed process had begun with."""
    return gallery.is_dir() and all(
        path.name.startswith(("gallery.sqlite", f".{MANIFEST}")) for path in gallery.iterdir()
    )


def _new_manifest(trained: "TrainedModel", model: Path, request: Request) -> Manifest:
    codes = None
    if request.both_scores:
        _, length, count = trained.caption_evidence([]).shape
        codes = Codes(length=length, count=count, fingerprint=codes_fingerprint(model))
    return Manifest(
        format=FORMAT,
        model=str(model),
        fingerprint=model_fingerprint(model),
        dimension=trained.network.embedding_dim,
        codes=codes,
        vectors="float16" if request.float16 else "float32",
    )


def _compare(gallery: Path, folder: Folder, report: Report) -> list[Job]:
    """Note what is gone; returns what is to be read."""
    tree = walk(folder.path, folder.exclude)
    for path, reason in tree.closed + tree.left_out:
        report.unreadable.append((f"{folder.path}/{path}", reason))
    jobs = []
    with reading(gallery) as database:
        known = _known(database, folder.id)
        for found in tree.files:
            before = known.pop(found.path, None)
            if before is None:
                jobs.append(Job(folder, found, None, None))
                report.added += 1
            elif (before.size, before.modified_ns) != (found.size, found.modified_ns):
                jobs.append(Job(folder, found, before.id, _hash(database, before.id)))
                report.changed += 1
            else:
                report.unchanged += 1
    lost = _lost(known.items(), tuple(path for path, _ in tree.closed))
    report.gone += len(lost)
    if lost:
        with writing(gallery) as database:
            database.executemany("UPDATE images SET gone = 1 WHERE id = ?", [(id,) for id in lost])
    return jobs


def _known(database: sqlite3.Connection, folder: int) -> dict[str, Known]:
    rows = database.execute(
        "SELECT path, id, size, modified_ns FROM images WHERE folder = ? AND NOT gone", (folder,)
    )
    return {path: Known(*facts) for path, *facts in rows}


def _hash(database: sqlite3.Connection, id: int) -> str | None:
    """Of an image that could be read."""
    (digest,) = database.execute(
        "SELECT CASE WHEN fault IS NULL THEN hash END FROM images WHERE id = ?", (id,)
    ).fetchone()
    return digest


def _lost(missing: Iterable[tuple[str, Known]], closed: tuple[str, ...]) -> list[int]:
    """Ids of what is not there any more; what lies in a folder that cannot be listed stays."""
    return [known.id for path, known in missing if not (closed and path.startswith(closed))]
