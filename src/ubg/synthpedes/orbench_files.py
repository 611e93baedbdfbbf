"""The annotation files of ORBench for drawn persons, with queries of every kind.

`test_gallery_and_queries.json` and `train_annos.json`, as `ubg.data.annotations.formats.orbench`
describes them. ORBench has no validation split: its persons are among those of training.
"""

from collections.abc import Sequence
from typing import Any

from ubg.data.query_kinds import KINDS, draw_queries
from ubg.synthpedes.identities import Member

Record = dict[str, Any]


def training_rows(records: Sequence[Record]) -> list[Record]:
    """`train_annos.json`: a row per caption of the records of train and val."""
    return [
        {"id": record["id"], "file_path": record["file_path"], "caption": caption}
        for record in records
        if record["split"] != "test"
        for caption in record["captions"]
    ]


def gallery_and_queries(
    members: Sequence[Member],
    records: Sequence[Record],
    paths: Sequence[dict[str, list[str]]],
    per_kind: int,
    seed: int,
) -> dict[str, list[list[Any]]]:
    """`test_gallery_and_queries.json`: every RGB image of the test split, and queries drawn once.

    Args:
        members: all persons.
        records: of their RGB images; a caption of any of them may be the text of a query.
        paths: for each member the images of each modality but RGB.
        per_kind: how many queries of a kind, at most.
        seed: of the draw.
    """
    items = {
        member.pid: {name.upper(): of_modality for name, of_modality in images.items()}
        for member, images in zip(members, paths, strict=True)
        if member.split == "test"
    }
    gallery = []
    for record in records:
        if record["split"] == "test":
            gallery.append([record["id"], record["file_path"]])
            items[record["id"]].setdefault("TEXT", []).extend(record["captions"])
    lists: dict[str, list[list[Any]]] = {"RGB_GALLERY": gallery} | {kind: [] for kind in KINDS}
    for kind, pid, parts in draw_queries(items, per_kind, seed):
        lists[kind].append([pid, *parts])
    return lists
