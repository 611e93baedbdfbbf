"""The folders that a gallery is made of."""

import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ubg.runtime.opening import parse_json
from ubg.search.database import DATABASE, reading, writing


@dataclass(frozen=True)
class Folder:
    """One of them; `exclude` are the patterns of what is left out of it."""

    id: int
    path: Path
    exclude: tuple[str, ...]


def chosen_folders(
    gallery: Path, paths: Sequence[Path], exclude: Sequence[str] | None
) -> list[Folder]:
    """The folders of these paths, or all that the gallery knows; new ones are entered.

    One within another of them counts as a part of that one.

    Raises:
        ValueError: one is missing, or overlaps with another one that the gallery knows.
    """
    known = {folder.path: folder for folder in _known_folders(gallery)}
    resolved = sorted({path.resolve() for path in paths} or known)
    outer = [path for path in resolved if not any(within in resolved for within in path.parents)]
    for path in outer:
        if not path.is_dir() and path not in known:
            raise ValueError(f"{path}: is no folder; correct the path")
        if not path.is_dir():
            raise ValueError(
                f"{path}: is no folder; if it is gone for good, `ubg index --gallery {gallery} "
                f"--forget {path}` leaves its images out"
            )
        for other in known:
            if other != path and (other.is_relative_to(path) or path.is_relative_to(other)):
                raise ValueError(
                    f"{path}: overlaps with {other}, which is in the gallery; index that one, or "
                    "leave it out first by --forget"
                )
    if exclude is None and all(path in known for path in outer):
        return [known[path] for path in outer]
    with writing(gallery) as database:
        for path in outer:
            database.execute(
                "INSERT INTO folders(path, exclude) VALUES (?, '[]') ON CONFLICT(path) DO UPDATE "
                "SET gone = 0",
                (str(path),),
            )
            if exclude is not None:
                database.execute(
                    "UPDATE folders SET exclude = ? WHERE path = ?",
                    (json.dumps(list(exclude)), str(path)),
                )
    return [folder for folder in _known_folders(gallery) if folder.path in outer]


def forget_folder(gallery: Path, path: Path) -> None:
    """Leave out a folder and its images, whether it is still there or not.

    Once more is no fault: so the same command goes on where one was killed.

    Raises:
        ValueError: the gallery never knew it.
    """
    with writing(gallery) as database:
        row = database.execute("SELECT id FROM folders WHERE path = ?", (str(path),)).fetchone()
        if row is None:
            known = ", ".join(str(folder.path) for folder in _known_folders(gallery)) or "none"
            raise ValueError(f"{path}: is not in the gallery, which has {known}")
        database.execute("UPDATE images SET gone = 1 WHERE folder = ?", row)
        database.execute("UPDATE folders SET gone = 1 WHERE id = ?", row)


def _known_folders(gallery: Path) -> list[Folder]:
    with reading(gallery) as database:
        rows = database.execute(
            "SELECT id, path, exclude FROM folders WHERE NOT gone ORDER BY path"
        ).fetchall()
    return [Folder(id, Path(path), _patterns(gallery, exclude)) for id, path, exclude in rows]


def _patterns(gallery: Path, exclude: str) -> tuple[str, ...]:
    with suppress(ValueError, TypeError):
        patterns = parse_json(exclude)
        if isinstance(patterns, list) and all(isinstance(one, str) for one in patterns):
            return tuple(patterns)
    raise ValueError(
        f"{gallery / DATABASE}: what is left out of a folder is no list; the gallery is damaged: "
        "index the folders anew into another gallery"
    )
