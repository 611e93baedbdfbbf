"""Annotations of any format as one tidy table.

A format is one file in `formats/` that turns its files into `Record`s; here they are checked
against the images and against each other. A column that only some data sets have (modality,
identity caption, clothing caption) is a field of `Record` and a column that is left out elsewhere.
"""

import os
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from ubg.data.faults import Faults
from ubg.data.formats import cuhk_pedes
from ubg.data.formats.records import SPLITS, Record

if TYPE_CHECKING:
    import pandas as pd


def read_annotations(
    format: str, root: str | Path, annotations: str = "reid_raw.json", images: str = "imgs"
) -> "pd.DataFrame":
    """The tidy table of a data set: one row per caption, in the order of the file.

    Args:
        format: "cuhk_pedes".
        root: folder of the data set.
        annotations: the annotation file below `root`.
        images: the folder of images below `root`.

    Returns:
        Columns `split` ("train", "val", "test"); `pid`, from 0 and contiguous over train, then val,
        then test, so that training identities are 0 to N - 1; `raw_id`, the identity's number in
        the file; `image_id`, from 0 by first appearance; `image_path`, relative to the folder of
        images; `caption_id`, the number of the row; `caption`, exactly as written. An image that is
        listed twice keeps one `image_id`; `attrs["records"]` is the number of records.

    Raises:
        ValueError: the file or a record is faulty, an image is missing or outside its folder, an
            identity is in two splits, an image has two identities. Each is told on a line of its
            own that names file and record.
    """
    if format != "cuhk_pedes":
        raise ValueError(f"format {format!r} is unknown; allowed: cuhk_pedes")
    path = Path(root) / annotations
    records = cuhk_pedes.read_records(path)
    faults = Faults(f"{path}: faulty records")
    _check_images(records, Path(root) / images, faults)
    _check_identities(records, faults)
    faults.raise_if_any()
    return _table(records)


def _check_images(records: list[Record], folder: Path, faults: Faults) -> None:
    """Every image is a file below `folder`, also after its links are followed."""
    if not folder.is_dir():
        raise ValueError(f"{folder}: is not a folder; put the images there")
    present = _files_below(folder)
    root = os.path.realpath(folder) + os.sep
    for record in records:
        path = record.image_path
        pure = PurePosixPath(path)
        if pure.is_absolute() or ".." in pure.parts or any(c in path for c in "\\\0\n\r"):
            faults.add(f"{record.where}: image path {path[:200]!r} leaves {folder}")
        elif str(pure) != path:
            faults.add(f"{record.where}: image path {path[:200]!r} should be {str(pure)!r}")
        elif path in present:
            continue
        elif not os.path.isfile(folder / path):  # noqa: PTH113 -- a name too long is no error here
            faults.add(f"{record.where}: image {path[:200]!r} is not in {folder}")
        elif not os.path.realpath(folder / path).startswith(root):
            faults.add(f"{record.where}: image {path[:200]!r} is a link that leaves {folder}")


def _files_below(folder: Path) -> set[str]:
    """Relative paths of all plain files; one scan instead of a call per image."""
    found: set[str] = set()
    prefixes = [""]
    while prefixes:
        prefix = prefixes.pop()
        try:
            with os.scandir(folder / prefix) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        prefixes.append(f"{prefix}{entry.name}/")
                    elif entry.is_file(follow_symlinks=False):
                        found.add(prefix + entry.name)
        except OSError as error:
            raise ValueError(f"{folder / prefix}: cannot be listed: {error.strerror}") from None
    return found


def _check_identities(records: list[Record], faults: Faults) -> None:
    """No identity is in two splits, no image belongs to two identities."""
    by_identity: dict[int, Record] = {}
    by_image: dict[str, Record] = {}
    for record in records:
        first = by_identity.setdefault(record.raw_id, record)
        if first.split != record.split:
            faults.add(
                f"{record.where}: identity {record.raw_id} is in {record.split} here "
                f"and in {first.split} at {first.where.rpartition(', ')[2]}"
            )
        other = by_image.setdefault(record.image_path, record)
        if other.raw_id != record.raw_id:
            faults.add(
                f"{record.where}: image {record.image_path!r} is of identity {record.raw_id} here "
                f"and of {other.raw_id} at {other.where.rpartition(', ')[2]}"
            )


def _table(records: list[Record]) -> "pd.DataFrame":
    import pandas as pd

    identities = sorted({(SPLITS.index(record.split), record.raw_id) for record in records})
    pid_of = {raw_id: pid for pid, (_, raw_id) in enumerate(identities)}
    image_id_of: dict[str, int] = {}
    rows = [
        (
            record.split,
            pid_of[record.raw_id],
            record.raw_id,
            image_id_of.setdefault(record.image_path, len(image_id_of)),
            record.image_path,
            caption,
        )
        for record in records
        for caption in record.captions
    ]
    columns = ["split", "pid", "raw_id", "image_id", "image_path", "caption"]
    table = pd.DataFrame(rows, columns=columns)
    table.insert(5, "caption_id", range(len(table)))
    table.attrs["records"] = len(records)
    return table
