"""The same queries across systems: where one wins and another loses, and the hardest people."""

from typing import Any

import numpy as np

from ubg.comparison.ablation import AblationRow
from ubg.data.prepared import NO_IMAGE
from ubg.report.pictures import crop_uri
from ubg.report.section import Section, plain
from ubg.report.sources import Sources

EXAMPLES = 6
HARDEST = 6
IMAGES_EACH = 3


def people_section(sources: Sources) -> Section:
    """Queries won and lost by the last step, and those whom no system finds."""
    steps = [row for row in sources.rows if row.step_before is not None]
    examples = _examples(sources, steps[-1]) if steps else None
    hardest = _hardest(sources)
    shown = [one["image"] for one in hardest for one in one["images"]]
    if examples:
        shown += [one["image"] for kind in ("won", "lost") for one in examples[kind]]
    data = {
        "rows": list(sources.queries),
        "agreement": [_agreement(sources, row) for row in steps],
        "examples": examples,
        "found_by_none": _found_by_none(sources),
        "people": len(np.unique(next(iter(sources.queries.values())).pids)),
        "hardest": hardest,
    }
    pictures = {}
    for image in dict.fromkeys(shown):
        if (pixels := sources.picture(image)) is not None:
            pictures[str(image)] = crop_uri(pixels)
    return Section("people", "The same queries across systems", data, pictures=pictures)


def _agreement(sources: Sources, row: AblationRow) -> dict[str, Any]:
    """How many queries both, one or none of two rows puts the right person first for."""
    assert row.step_before is not None
    ours = sources.queries[row.name].first_rank == 1
    theirs = sources.queries[row.step_before].first_rank == 1
    return {
        "row": row.name,
        "compared_with": row.step_before,
        "both": int((ours & theirs).sum()),
        "won": int((ours & ~theirs).sum()),
        "lost": int((~ours & theirs).sum()),
        "neither": int((~ours & ~theirs).sum()),
    }


def _examples(sources: Sources, row: AblationRow) -> dict[str, Any]:
    """Queries that one row puts first and the other ranks lowest, each person once."""
    assert row.step_before is not None
    ours = sources.queries[row.name].first_rank
    theirs = sources.queries[row.step_before].first_rank
    return {
        "row": row.name,
        "compared_with": row.step_before,
        "won": _lowest(sources, np.where(ours == 1, theirs, 0)),
        "lost": _lowest(sources, np.where(theirs == 1, ours, 0)),
    }


def _lowest(sources: Sources, rank_Q: Any) -> list[dict[str, Any]]:
    """The queries of the largest of these ranks above 1."""
    pids = next(iter(sources.queries.values())).pids
    chosen: list[int] = []
    for query in np.argsort(-rank_Q, kind="stable"):
        if rank_Q[query] > 1 and pids[query] not in pids[chosen]:
            chosen.append(int(query))
        if len(chosen) == EXAMPLES:
            break
    return [_query(sources, query) for query in chosen]


def _query(sources: Sources, query: int) -> dict[str, Any]:
    caption_id, image, pid = next(iter(sources.queries.values())).ids[query].tolist()
    (caption,) = sources.test.loc[sources.test["caption_id"] == caption_id, "caption"]
    ranks = {name: int(found.first_rank[query]) for name, found in sources.queries.items()}
    return {"caption": plain(caption), "image": image, "pid": pid, "first_rank": ranks}


def _found_by_none(sources: Sources) -> int:
    """People whom no row puts first for any of their captions."""
    pids = next(iter(sources.queries.values())).pids
    found = np.any([found.first_rank == 1 for found in sources.queries.values()], axis=0)
    return len(np.setdiff1d(pids, pids[found]))


def _hardest(sources: Sources) -> list[dict[str, Any]]:
    """The people of the lowest average precision, over all rows and captions."""
    pids = next(iter(sources.queries.values())).pids
    people, person_Q = np.unique(pids, return_inverse=True)
    counts = np.bincount(person_Q)
    by_row = {
        name: 100 * np.bincount(person_Q, found.average_precision) / counts
        for name, found in sources.queries.items()
    }
    mean_P = np.mean(list(by_row.values()), axis=0)
    chosen = np.argsort(mean_P, kind="stable")[:HARDEST]
    return [
        {
            "pid": int(people[place]),
            "average_precision": {name: round(float(v[place]), 2) for name, v in by_row.items()},
            "images": _images(sources, int(people[place])),
        }
        for place in chosen.tolist()
    ]


def _images(sources: Sources, pid: int) -> list[dict[str, Any]]:
    rows = sources.test[sources.test["pid"] == pid]
    rows = rows[rows["image_id"] != NO_IMAGE].drop_duplicates("image_id").head(IMAGES_EACH)
    return [
        {"image": image, "caption": plain(caption)}
        for image, caption in zip(rows["image_id"].tolist(), rows["caption"], strict=True)
    ]
