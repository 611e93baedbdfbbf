"""Tags and cameras of images, from a table of the user's."""

import csv
import os
from dataclasses import dataclass
from pathlib import Path

from ubg.runtime.faults import quoted
from ubg.runtime.opening import Kind, check_file
from ubg.search.database import writing

MAX_LENGTH = 500
COLUMNS = {"path", "tags", "camera"}


@dataclass(frozen=True)
class Label:
    """What a line of the table says; None, of a column that is not there, leaves what was known."""

    tags: tuple[str, ...] | None
    camera: str | None


def read_labels(path: Path) -> dict[str, Label]:
    """A CSV of the columns path, tags (divided by ";") and camera, the last two if you like.

    An empty field says that there is none.

    Raises:
        ValueError: the file cannot be read, or a line does not fit or contradicts an earlier one;
            it is named.
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
                label = Label(_tags(row.get("tags")), _stripped(row.get("camera")))
                name = os.path.normpath(row["path"].strip())
                if labels.setdefault(name, label) != label:
                    raise ValueError(
                        f"line {table.line_num}: says something else of {quoted(name)} than a line "
                        "before; keep one"
                    )
    except OSError as error:
        raise ValueError(f"{path}: {error.strerror}") from None
    except (ValueError, csv.Error) as error:
        reason = str(error).removeprefix(f"{path}: ")
        raise ValueError(f"{path}: {reason}") from None
    return labels


def apply_labels(gallery: Path, labels: dict[str, Label]) -> tuple[int, list[str]]:
    """Write them to the images of these paths; returns how many, and the paths without an image.

    A path is that below the folder, which means the images of all folders, or an absolute one,
    which goes before.
    """
    if not labels:
        return 0, []
    with writing(gallery) as database:
        images = database.execute(
            "SELECT images.id, images.path, folders.path FROM images JOIN folders ON folders.id = "
            "folder WHERE NOT images.gone"
        ).fetchall()
        changes, found = [], set()
        for id, path, folder in images:
            names = [name for name in (f"{folder}/{path}", path) if name in labels]
            found.update(names)
            if names:
                label = labels[names[0]]
                changes.append((_joined(label.tags), label.camera, id))
        database.executemany(
            "UPDATE images SET tags = coalesce(?, tags), camera = nullif(coalesce(?, camera), '') "
            "WHERE id = ?",
            changes,
        )
    return len(changes), [name for name in labels if name not in found]


def _tags(text: str | None) -> tuple[str, ...] | None:
    return None if text is None else tuple(filter(None, map(str.strip, text.split(";"))))


def _stripped(text: str | None) -> str | None:
    return None if text is None else text.strip()


def _joined(tags: tuple[str, ...] | None) -> str | None:
    """As the database keeps them."""
    if tags is None:
        return None
    return f";{';'.join(tags)};" if tags else ""
