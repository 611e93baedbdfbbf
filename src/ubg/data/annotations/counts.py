"""How many images, identities and captions there are, beside what was published."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from ubg.data.annotations.formats.records import SPLITS
from ubg.data.prepared import NO_IMAGE

if TYPE_CHECKING:
    import pandas as pd

COUNTED = ("images", "identities", "captions")

Counts = Mapping[str, Mapping[str, int]]  # by split, by what is counted


class Difference(NamedTuple):
    """One count that is not as published."""

    split: str
    what: str
    found: int
    published: int

    def words(self) -> str:
        return f"{self.split} {self.what} {self.found:,} where {self.published:,} are published"


def count_splits(table: "pd.DataFrame") -> dict[str, dict[str, int]]:
    """Images, identities and captions of each split that has rows."""
    counts = {}
    for split in SPLITS:
        rows = table[table["split"] == split]
        if len(rows):
            images = rows.loc[rows["image_id"] != NO_IMAGE, "image_id"]
            counts[split] = {
                "images": int(images.nunique()),
                "identities": int(rows["pid"].nunique()),
                "captions": int((rows["caption"] != "").sum()),
            }
    return counts


def differences(found: Counts, published: Counts) -> list[Difference]:
    """Every count in which the two differ; a split that one of them lacks has 0 there."""
    return [
        Difference(split, what, ours, theirs)
        for split in SPLITS
        for what in COUNTED
        if (ours := found.get(split, {}).get(what, 0))
        != (theirs := published.get(split, {}).get(what, 0))
    ]


def nearest_version(
    found: Counts, versions: Mapping[str, Counts]
) -> tuple[str, list[Difference]] | None:
    """The published version that differs least, and in what; None if none is known.

    Fewest counts that differ come first, then the least sum of relative differences.
    """

    def distance(name: str) -> tuple[int, float]:
        differing = differences(found, versions[name])
        relative = [abs(d.found - d.published) / max(d.found, d.published) for d in differing]
        return len(differing), sum(relative)

    if not versions:
        return None
    name = min(versions, key=distance)
    return name, differences(found, versions[name])


def compare(dataset: str, version: str, differing: list[Difference]) -> str:
    """One line that shows both figures of every count that differs, and what to do."""
    figures = ", ".join(difference.words() for difference in differing)
    return (
        f"{dataset}: the counts fit no published version; nearest is {version!r}: {figures}; "
        "complete the files, or set accept_other_counts: true in "
        f"configs/datasets/{dataset}.yaml"
    )


def plain(versions: Mapping[str, Mapping[Any, Any]]) -> dict[str, dict[str, dict[str, int]]]:
    """The published counts of the params as plain numbers."""
    return {
        name: {split: section.model_dump() for split, section in splits.items()}
        for name, splits in versions.items()
    }
