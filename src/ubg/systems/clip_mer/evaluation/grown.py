"""Queries of several persons, each grown from one part to all four."""

import numpy as np
from numpy.typing import NDArray

from ubg.systems.clip_mer.evaluation.measure import Gallery, fused, rank_queries
from ubg.systems.clip_mer.evaluation.parts import EncodedParts, Queries
from ubg.systems.clip_mer.evaluation.sheet import ShownQuery
from ubg.systems.clip_mer.model import ClipMer

GROWN_FROM = "TEXT+NIR+CP+SK"
ORDER = ("text", "sk", "cp", "nir")  # as a witness, an artist and a camera would give them
MATCHES = 10


def choose_rows(queries: Queries, count: int, seed: int) -> NDArray[np.int64]:
    """Queries of four parts, of `count` different persons or as many as there are, at random."""
    rows = queries.rows_by_kind()[GROWN_FROM]
    shuffled = np.random.default_rng(seed).permutation(rows)
    _, first = np.unique(queries.pids[shuffled], return_index=True)
    return shuffled[np.sort(first)[:count]]


def grow(
    model: ClipMer,
    queries: Queries,
    encoded: EncodedParts,
    gallery: Gallery,
    rows: NDArray[np.int64],
) -> list[ShownQuery]:
    """What is found for each of `rows` by its first part alone, by two, by three and by all."""
    steps = [ORDER[:length] for length in range(1, len(ORDER) + 1)]
    by_step = []
    for parts in steps:
        query_BD = fused(model, {part: encoded.of(part, rows) for part in parts})
        by_step.append((query_BD, rank_queries(query_BD, queries.pids[rows], gallery)))
    shown = []
    for place, row in enumerate(rows.tolist()):
        query = queries.table.iloc[row]
        for parts, (query_BD, ranking) in zip(steps, by_step, strict=True):
            score_G = (gallery.features_GD @ query_BD[place]).numpy()
            top = np.argsort(-score_G, kind="stable")[:MATCHES]
            images = [(part, queries.packs[part], query[part]) for part in parts if part != "text"]
            shown.append(
                ShownQuery(
                    pid=int(query["pid"]),
                    caption=query["caption"],
                    images={
                        part: pack.read(pack.row_of(np.array([image])))[0]
                        for part, pack, image in images
                    },
                    top=top,
                    scores=score_G[top],
                    first_rank=int(ranking.first_rank[place]),
                    average_precision=float(ranking.average_precision[place]),
                )
            )
    return shown
