"""Queries of one part to four as a table, and those of the validation split."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ubg.data.annotations.formats.records import Query
from ubg.data.prepared import NO_IMAGE
from ubg.data.query_kinds import draw_queries
from ubg.params import ModalityQueries

if TYPE_CHECKING:
    import pandas as pd


def validation_queries(
    table: "pd.DataFrame", images: "pd.DataFrame", params: ModalityQueries
) -> list[Query]:
    """Queries of every kind for the persons of the validation split, drawn by a seed.

    Args:
        table: the prepared table of the data set, whose captions can be parts.
        images: those of the modalities, with `split`, `pid`, `modality` and `image_path`.
        params: seed and number of the queries.
    """
    captions = table[(table["split"] == "val") & (table["caption"] != "")]
    raw_id_of = dict(zip(table["pid"], table["raw_id"], strict=True))
    items: dict[int, dict[str, list[str]]] = {}
    for raw_id, caption in captions[["raw_id", "caption"]].itertuples(index=False):
        items.setdefault(raw_id, {}).setdefault("TEXT", []).append(caption)
    of_val = images[images["split"] == "val"]
    for pid, modality, path in of_val[["pid", "modality", "image_path"]].itertuples(index=False):
        items.setdefault(raw_id_of[pid], {}).setdefault(modality.upper(), []).append(path)
    return [
        Query("", kind, raw_id, **dict(zip(kind.lower().split("+"), parts, strict=True)))
        for kind, raw_id, parts in draw_queries(items, params.val_queries_per_kind, params.seed)
    ]


def query_table(
    queries: Sequence[Query], places: Mapping[Any, tuple[str, int]], images: "pd.DataFrame"
) -> "pd.DataFrame":
    """`queries.csv`, without the queries of which an image is not among `images`.

    Args:
        queries: of both splits.
        places: split and `pid` of every person, by `raw_id`.
        images: with `image_id` and `image_path`.
    """
    import pandas as pd

    id_of = dict(zip(images["image_path"], images["image_id"], strict=True)) | {"": NO_IMAGE}
    rows = []
    for query in queries:
        ids = [id_of.get(path) for path in (query.nir, query.cp, query.sk)]
        if None not in ids:
            split, pid = places[query.raw_id]
            rows.append((split, query.kind, pid, query.text, *ids))
    return pd.DataFrame(rows, columns=["split", "kind", "pid", "caption", "nir", "cp", "sk"])
