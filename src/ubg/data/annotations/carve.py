"""A validation split for data sets that come without one."""

from typing import TYPE_CHECKING, Any

import numpy as np

from ubg.data.annotations.formats.records import SPLITS
from ubg.data.annotations.shuffle import Shuffler

if TYPE_CHECKING:
    import pandas as pd


def carve_validation(
    table: "pd.DataFrame", identities: int, seed: int
) -> tuple["pd.DataFrame", list[Any]]:
    """Move `identities` of the training identities, with all their images, to the validation split.

    Which ones depends on `seed` and on the ids of the training identities alone.

    Args:
        table: as `read_annotations` returns it.
        identities: how many.
        seed: of the draw.

    Returns:
        A copy of the table, `pid` numbered anew over train, val, test; the `raw_id` of the
        identities moved, ascending.

    Raises:
        ValueError: there is a validation split, or training would keep less than two identities.
    """
    if (table["split"] == "val").any():
        raise ValueError("carve_val: the files hold a validation split; remove carve_val")
    training = sorted(set(table.loc[table["split"] == "train", "raw_id"]))
    if len(training) < identities + 2:
        raise ValueError(
            f"carve_val.identities: {identities:,} of {len(training):,} training identities leave "
            "less than two to train on; give less"
        )
    moved = sorted(training[place] for place in Shuffler(seed).order(len(training))[:identities])
    carved = table.copy()
    carved.loc[table["raw_id"].isin(moved) & (table["split"] == "train"), "split"] = "val"
    carved["pid"] = number_identities(carved)
    return carved, moved


def number_identities(table: "pd.DataFrame") -> "np.ndarray[Any, np.dtype[np.int64]]":
    """A number per row from 0, contiguous over the identities of train, then val, then test."""
    split_of = dict(zip(table["raw_id"], table["split"], strict=True))
    ordered = sorted(split_of, key=lambda raw_id: (SPLITS.index(split_of[raw_id]), raw_id))
    pid_of = {raw_id: pid for pid, raw_id in enumerate(ordered)}
    return np.array([pid_of[raw_id] for raw_id in table["raw_id"]], np.int64)
