"""Annotations of any format as one tidy table.

A format is one file in `formats/` that turns its files into `Record`s; here they are checked
against the images and against each other. A column that only some data sets have (modality,
identity caption, clothing caption) is a field of `Record` and a column that is left out elsewhere.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ubg.data.annotations.formats import (
    cuhk_pedes,
    custom,
    icfg_pedes,
    identity_clothing,
    orbench,
    rstpreid,
)
from ubg.data.annotations.formats.records import SPLITS, Parsed, Query, Record
from ubg.data.annotations.image_folder import ImageFolder
from ubg.data.prepared import NO_IMAGE
from ubg.runtime.faults import Faults, quoted

if TYPE_CHECKING:
    import pandas as pd

READERS = {
    "cuhk_pedes": cuhk_pedes.read,
    "icfg_pedes": icfg_pedes.read,
    "rstpreid": rstpreid.read,
    "orbench": orbench.read,
    "identity_clothing": identity_clothing.read,
    "custom": custom.read,
}
OPTIONAL = ("modality", "identity_caption", "clothing_caption")


@dataclass(frozen=True)
class Annotations:
    """All that the annotation files of a data set say.

    Attributes:
        table: see `read_annotations`.
        queries: one row per query of one or several modalities: `kind`, `raw_id`, `text`, `nir`,
            `cp`, `sk` (paths, "" where a kind has none); None for data sets without.
    """

    table: "pd.DataFrame"
    queries: "pd.DataFrame | None"


def read_annotations(format: str, root: str | Path) -> "pd.DataFrame":
    """The tidy table of a data set: one row per caption, in the order of the files.

    Args:
        format: "cuhk_pedes", "icfg_pedes", "rstpreid", "orbench", "identity_clothing" or "custom".
        root: folder of the data set, with `annotations/` and `imgs/`.

    Returns:
        Columns `split` ("train", "val", "test"); `pid`, from 0 and contiguous over train, then val,
        then test, so that training identities are 0 to N - 1; `raw_id`, the identity's number in
        the file (in "custom" a text); `image_id`, from 0 by first appearance; `image_path`,
        relative to the folder of images, as the disk spells it; `caption_id`, the number of the
        row; `caption`, exactly as written; and where a data set has them, `modality` of the image,
        `identity_caption` and `clothing_caption`. A caption of no image in particular has the
        `image_id` `NO_IMAGE` and the path "", an image without a caption has the caption "". An
        image that is listed twice keeps one `image_id`. `attrs` has `records`, the number of
        records of images; `repeated`, the ids of images that have several; `layout`, the files
        that were read; `notes`, what the reader left out or decided, one line each.

    Raises:
        ValueError: a file or a record is faulty, an image is missing or its path leaves its folder,
            an identity is in two splits, an image has two identities. Each is told on a line of its
            own that names file and record.
    """
    return read_everything(format, root).table


def read_everything(format: str, root: str | Path) -> Annotations:
    """The table of `read_annotations` and what there is beside it.

    Raises:
        ValueError: see `read_annotations`.
    """
    if format not in READERS:
        raise ValueError(f"format {format!r} is unknown; allowed: {', '.join(READERS)}")
    folder = Path(root) / "annotations"
    faults = Faults(f"{folder}: faulty records")
    parsed = _spell_paths(READERS[format](folder), Path(root) / "imgs", faults)
    _check_identities(parsed.records, faults)
    faults.raise_if_any()
    table = _table(parsed.records)
    table.attrs |= {"layout": parsed.layout, "notes": parsed.notes}
    return Annotations(table, _query_table(parsed.queries))


def _spell_paths(parsed: Parsed, folder: Path, faults: Faults) -> Parsed:
    """The same with every path as the disk spells it; each must be a file below `folder`."""
    images = ImageFolder(folder)

    def spelled(where: str, path: str) -> str:
        try:
            return images.spelled(path)
        except ValueError as fault:
            faults.add(f"{where}: {fault}")
            return path

    def spelled_query(query: Query) -> Query:
        paths = query.nir, query.cp, query.sk
        nir, cp, sk = (spelled(query.where, path) if path else "" for path in paths)
        return replace(query, nir=nir, cp=cp, sk=sk)

    records = [
        r if r.image_path is None else replace(r, image_path=spelled(r.where, r.image_path))
        for r in parsed.records
    ]
    queries = [spelled_query(query) for query in parsed.queries]
    return replace(parsed, records=records, queries=queries)


def _check_identities(records: list[Record], faults: Faults) -> None:
    """No identity is in two splits, no image belongs to two identities."""
    by_identity: dict[int | str, Record] = {}
    by_image: dict[str, Record] = {}
    for record in records:
        first = by_identity.setdefault(record.raw_id, record)
        if first.split != record.split:
            faults.add(
                f"{record.where}: identity {record.raw_id} is in {record.split} here and in "
                f"{first.split} at {_place(first, record)}; give it one split"
            )
        if record.image_path is None:
            continue
        other = by_image.setdefault(record.image_path, record)
        if other.raw_id != record.raw_id:
            faults.add(
                f"{record.where}: image {quoted(record.image_path)} is of identity "
                f"{record.raw_id} here and of {other.raw_id} at {_place(other, record)}; remove one"
            )


def _place(earlier: Record, later: Record) -> str:
    """Where the earlier record is, without the file if it is that of the later."""
    file, _, place = earlier.where.partition(", ")
    return place if later.where.startswith(f"{file}, ") else earlier.where


def _table(records: list[Record]) -> "pd.DataFrame":
    import pandas as pd

    identities: set[tuple[int, Any]] = {(SPLITS.index(r.split), r.raw_id) for r in records}
    pid_of = {raw_id: pid for pid, (_, raw_id) in enumerate(sorted(identities))}
    image_id_of: dict[str, int] = {}
    repeated: set[int] = set()
    optional = [name for name in OPTIONAL if any(getattr(r, name) is not None for r in records)]
    rows = []
    for record in records:
        image_id = NO_IMAGE
        if record.image_path is not None:
            if record.image_path in image_id_of:
                repeated.add(image_id_of[record.image_path])
            image_id = image_id_of.setdefault(record.image_path, len(image_id_of))
        start = (
            record.split,
            pid_of[record.raw_id],
            record.raw_id,
            image_id,
            record.image_path or "",
        )
        end = [getattr(record, name) or "" for name in optional]
        rows += [(*start, caption, *end) for caption in record.captions or [""]]
    columns = ["split", "pid", "raw_id", "image_id", "image_path", "caption", *optional]
    table = pd.DataFrame(rows, columns=columns)
    table.insert(5, "caption_id", range(len(table)))
    table.attrs["records"] = sum(record.image_path is not None for record in records)
    table.attrs["repeated"] = sorted(repeated)
    return table


def _query_table(queries: list[Query]) -> "pd.DataFrame | None":
    import pandas as pd

    if not queries:
        return None
    columns = ["kind", "raw_id", "text", "nir", "cp", "sk"]
    rows = [[getattr(query, name) for name in columns] for query in queries]
    return pd.DataFrame(rows, columns=columns)
