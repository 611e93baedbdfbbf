"""Tags and cameras of images, from a table of the user's."""

import csv
from dataclasses import dataclass
from pathlib import Path

from ubg.runtime.opening import Kind, check_file
from ubg.search.database import writing

MAX_LENGTH = 500
COLUMNS = {"path", "tags", "camera"}


@dataclass(frozen=True)
class Label:
    """What a line of the table says; None leaves what was known."""

    tags: tuple[str, ...] | None
    camera: str | None


def read_labels(path: Path) -> dict[str, Label]:
    """A CSV of the columns path, tags (divided by ";") and camera, the last two if you like.

    Raises:
        ValueError: the file cannot be read or a line does not fit; it is named.
    """
    labels: dict[str, Label] = {}
    try:
        check_file(path, Kind.TABLE)
        with path.open(encoding="utf-8-sig", newline="") as file:
            table = csv.DictReader(file, strict=True)
            columns = set(table.fieldnames or ())
            if not ({"path"} < columns <= COLUMNS):
                raise ValueError("give the columns path, and tags or camera or both")
            for row in table:
                if None in row or None in row.values():
                    raise ValueError(f"line {table.line_num}: has not {len(columns)} values")
                if max(map(len, row.values())) > MAX_LENGTH:
                    raise ValueError(
                        f"line {table.line_num}: a value is longer than {MAX_LENGTH} characters"
                    )
                tags = row.get("tags")
                labels[row["path"].strip()] = Label(
                    None if tags is None else tuple(filter(None, map(str.strip, tags.split(";")))),
                    row.get("camera", "").strip() or None,
                )
    except OSError as error:
        raise ValueError(f"{path}: {error.strerror}") from None
    except (ValueError, csv.Error) as error:
        reason = str(error).removeprefix(f"{path}: ")
        raise ValueError(f"{path}: {reason}") from None
    return labels


def apply_labels(gallery: Path, labels: dict[str, Label]) -> int:
    """Write them to the images of these paths, below their folder or absolute; returns how many.

    The paths are those of the gallery; of a path in several folders all images are meant.
    """
    if not labels:
        return 0
    with writing(gallery) as database:
        images = database.execute(
            "SELECT images.id, images.path, folders.path FROM images JOIN folders ON folders.id = "
            "folder WHERE NOT images.gone"
        ).fetchall()
        changes = []
        for id, path, folder in images:
            label = labels.get(path) or labels.get(f"{folder}/{path}")
            if label is not None:
                tags = None if label.tags is None else f";{';'.join(label.tags)};"
                changes.append((tags, label.camera, id))
        database.executemany(
            "UPDATE images SET tags = coalesce(?, tags), camera = coalesce(?, camera) WHERE id = ?",
            changes,
        )
    return len(changes)
