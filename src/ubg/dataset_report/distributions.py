"""Captions per image, images per identity, and how long the captions are."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ubg.data.annotations.formats.records import SPLITS
from ubg.data.prepared import NO_IMAGE

if TYPE_CHECKING:
    import pandas as pd

BySplit = dict[str, NDArray[np.int64]]


@dataclass(frozen=True)
class Distributions:
    """Whole numbers of each split that has any.

    Attributes:
        captions_per_image: [images], 0 for an image of the gallery that has none.
        images_per_identity: [identities].
        words_per_caption: [captions], separated by white space.
        tokens_per_caption: [captions], see `ubg.data.text.clip_tokens`.
    """

    captions_per_image: BySplit
    images_per_identity: BySplit
    words_per_caption: BySplit
    tokens_per_caption: BySplit

    def named(self) -> dict[str, BySplit]:
        """By the name that figures and tables show."""
        return {name.replace("_", " "): by_split for name, by_split in vars(self).items()}


def distributions(
    table: "pd.DataFrame", queries: "pd.DataFrame", tokens: NDArray[np.int64]
) -> Distributions:
    """Those of the annotation table.

    Args:
        table: of all splits.
        queries: its Q rows that have a caption.
        tokens: [Q], length in tokens.
    """
    pictured = table[table["image_id"] != NO_IMAGE]
    images = pictured.drop_duplicates("image_id")
    described = queries.loc[queries["image_id"] != NO_IMAGE, "image_id"].value_counts()
    captions = np.asarray(images["image_id"].map(described).fillna(0), np.int64)
    people = table.drop_duplicates("pid")
    shown = np.asarray(people["pid"].map(images["pid"].value_counts()).fillna(0), np.int64)
    words = np.array([len(caption.split()) for caption in queries["caption"]], np.int64)
    return Distributions(
        captions_per_image=_by_split(images, captions),
        images_per_identity=_by_split(people, shown),
        words_per_caption=_by_split(queries, words),
        tokens_per_caption=_by_split(queries, tokens),
    )


def summary(values: NDArray[np.int64]) -> dict[str, Any]:
    """Least, median and greatest of some numbers, [N]."""
    return {
        "min": int(values.min()),
        "median": float(np.median(values)),
        "max": int(values.max()),
    }


def histogram(by_split: BySplit) -> dict[str, int]:
    """How often each value occurs in all splits together."""
    values, counts = np.unique(np.concatenate(list(by_split.values())), return_counts=True)
    return {str(value): int(count) for value, count in zip(values, counts, strict=True)}


def _by_split(rows: "pd.DataFrame", values: NDArray[np.int64]) -> BySplit:
    splits = rows["split"].to_numpy()
    return {split: values[splits == split] for split in SPLITS if (splits == split).any()}
