"""The images of a split: who is in each, in what, and what of that shows."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ubg.disentanglement.attributes import BODY, CLOTHING, Attributes

UNKNOWN = ""


@dataclass(frozen=True)
class People:
    """N images.

    Attributes:
        image_ids, pids, persons, outfits: [N]; a pid is a person in an outfit.
        shown: by attribute [N], what can be seen of it, `UNKNOWN` where nothing can.
        given: by attribute [N], the same where it cannot be seen too.
    """

    image_ids: NDArray[np.int64]
    pids: NDArray[np.int64]
    persons: NDArray[np.int64]
    outfits: NDArray[np.int64]
    shown: dict[str, NDArray[np.str_]]
    given: dict[str, NDArray[np.str_]]


def people_of(
    split: str, table: pd.DataFrame, clothing: pd.DataFrame, attributes: Attributes
) -> People:
    """The images of a split in the order of the table, each once.

    Args:
        split: such as "test".
        table: of annotations whose image is in the pack.
        clothing: as `load_clothing` returns it.
        attributes: by the numbers and paths that the table has as `raw_id` and `image_path`.
    """
    columns = ["image_id", "image_path", "raw_id"]
    images = table.loc[table["split"] == split, columns].drop_duplicates("image_id")
    images = images.merge(clothing[["image_id", "pid", "person", "outfit"]], on="image_id")
    shown_N = [attributes.shown.get(path, {}) for path in images["image_path"]]
    given_N = [attributes.of_identity.get(identity, {}) for identity in images["raw_id"]]
    image_ids, pids, persons, outfits = (
        images[name].to_numpy(np.int64) for name in ("image_id", "pid", "person", "outfit")
    )
    return People(image_ids, pids, persons, outfits, _by_attribute(shown_N), _by_attribute(given_N))


def _by_attribute(values_N: list[dict[str, str]]) -> dict[str, NDArray[np.str_]]:
    return {
        name: np.array([values.get(name, UNKNOWN) for values in values_N], np.str_)
        for name in (*BODY, *CLOTHING)
    }


def one_hot(names: tuple[str, ...], people: People, known: People) -> NDArray[np.float64]:
    """The attributes themselves as an embedding, [N, V]: a one for each value that somebody has.

    Args:
        names: of the attributes.
        people: N images.
        known: whose values there is a place for; of others nothing is told.
    """
    columns = [
        people.given[name] == value for name in names for value in np.unique(known.given[name])
    ]
    return np.stack(columns, axis=1).astype(np.float64)
