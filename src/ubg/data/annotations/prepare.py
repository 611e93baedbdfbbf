"""From the files of a data set to the table that everything else reads."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ubg.data.annotations.carve import carve_validation
from ubg.data.annotations.counts import Counts, compare, count_splits, nearest_version, plain
from ubg.data.annotations.formats.records import SPLITS
from ubg.data.annotations.noise import exchange_by_index, exchange_captions
from ubg.data.annotations.table import read_everything
from ubg.data.prepared import NO_IMAGE, require_searchable
from ubg.params import Dataset, Params

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Prepared:
    """What was read of a data set, checked, and changed as the params say.

    Attributes:
        table: as `read_annotations` returns it, with the validation split and the exchanged
            captions that the params ask for.
        unchanged: the same with every caption at its own image.
        queries: of data sets that come with some, numbered as the table is.
        read: how the files were read, see `read_annotations`.
        changes: what was done to them, for the report.
    """

    table: "pd.DataFrame"
    unchanged: "pd.DataFrame"
    queries: "pd.DataFrame | None"
    read: Mapping[Any, Any]
    changes: dict[str, Any]


def prepare_table(params: Params, splits: Sequence[str] = SPLITS) -> Prepared:
    """Read the annotations of the data set in use. No image is opened.

    The counts are checked as the files have them; then a validation split is carved, if it is one
    of `splits`, and captions are exchanged, if the params say so.

    Args:
        params: name the data set.
        splits: that the table must have.

    Raises:
        ValueError: see `read_annotations`, `carve_validation`, `exchange_captions` and
            `exchange_by_index`; or the counts fit no published version; or one of `splits` is
            missing or of one identity; or one identity has more than half of validation.
    """
    data, noise = params.data, params.noise
    annotations = read_everything(data.format, params.raw_root)
    table = annotations.table
    changes = _check_counts(params.dataset, data, count_splits(table))
    if "val" in splits and data.carve_val is not None:
        table, raw_ids = carve_validation(table, data.carve_val.identities, data.carve_val.seed)
        changes["carved_val"] = {**data.carve_val.model_dump(), "raw_ids": raw_ids}
    for split in splits:
        if split == "train":
            _check_training(params.dataset, table)
        else:
            require_searchable(table, split, params.dataset)
        if split == "val":
            _check_exchangeable(params.dataset, table)
    unchanged = table
    if noise.rate > 0:
        if noise.index is None:
            table = exchange_captions(table, noise.rate, noise.seed)
        else:
            index = params.raw_root / "annotations" / noise.index
            table = exchange_by_index(table, index, noise.rate)
        pid_of = dict(zip(table["caption_id"], table["pid"], strict=True))
        elsewhere = int((table["caption_of"].map(pid_of) != table["pid"]).sum())
        changes["noise"] = {**noise.model_dump(), "captions": elsewhere}
    queries = annotations.queries
    if queries is not None:
        queries = _with_pids(queries, table)
    return Prepared(table, unchanged, queries, annotations.table.attrs, changes)


def _check_training(dataset: str, table: "pd.DataFrame") -> None:
    if not (table["split"] == "train").any():
        raise ValueError(f"{dataset}: no caption is of the split 'train'; add some")


def _check_exchangeable(dataset: str, table: "pd.DataFrame") -> None:
    """Where captions are told from those of others, each image needs one of another identity."""
    described = (table["image_id"] != NO_IMAGE) & (table["caption"] != "")
    images = table[(table["split"] == "val") & described].drop_duplicates("image_id")
    counts = images["raw_id"].value_counts()
    if 2 * counts.max() > len(images):
        raise ValueError(
            f"{dataset}: identity {counts.idxmax()} has {counts.max()} of the {len(images)} images "
            "of the split 'val', more than half, so that not every one can be shown with a caption "
            "of another; add others or raise carve_val.identities"
        )


def _check_counts(dataset: str, data: Dataset, counts: Counts) -> dict[str, Any]:
    """The published version that the counts fit, for the report."""
    facts: dict[str, Any] = {"version": None, "differences": [], "carved_val": None, "noise": None}
    nearest = nearest_version(counts, plain(data.counts))
    if nearest is None:
        return facts
    version, differing = nearest
    if differing and not data.accept_other_counts:
        raise ValueError(compare(dataset, version, differing))
    return facts | {"version": version, "differences": [d._asdict() for d in differing]}


def _with_pids(queries: "pd.DataFrame", table: "pd.DataFrame") -> "pd.DataFrame":
    """The queries with the numbers that their identities have in the table."""
    pid_of = dict(zip(table["raw_id"], table["pid"], strict=True))
    numbered = queries.copy()
    numbered.insert(1, "pid", [pid_of[raw_id] for raw_id in queries["raw_id"]])
    return numbered
