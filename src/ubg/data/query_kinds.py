"""The kinds of query that ORBench has: one part to four, one of which leads.

Zuo et al., arXiv 2506.09385. A query of every kind is drawn here too, for the data sets and splits
that come without.
"""

import random
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from typing import TypeVar

PARTS = ("NIR", "CP", "SK", "TEXT")  # infrared, colour pencil, sketch, caption
KINDS = tuple(
    "+".join([leading, *(other for other in chosen if other != leading)])
    for size in range(1, 5)
    for chosen in combinations(PARTS, size)
    for leading in chosen
)

Item = TypeVar("Item")


def draw_queries(
    items: Mapping[int, Mapping[str, Sequence[Item]]], per_kind: int, seed: int
) -> Iterator[tuple[str, int, list[Item]]]:
    """Queries of all kinds, drawn by `seed`: kind, person, and an item for each part of the kind.

    A kind's leading items are all different, one of every person before a second of anybody; each
    gets companions of the same person at random. A person who lacks a part has no query with it.

    Args:
        items: of each person, captions and images by the part that they can be.
        per_kind: how many queries, at most.
        seed: of the draw.
    """
    for kind in KINDS:
        rng = random.Random(f"{seed}/{kind}")  # noqa: S311 -- reproducibility, no secrets
        leading, *others = kind.split("+")
        drawn = []
        for person, parts in sorted(items.items()):
            if all(parts.get(part) for part in (leading, *others)):
                shuffled = rng.sample(parts[leading], len(parts[leading]))
                drawn += [(turn, rng.random(), person, item) for turn, item in enumerate(shuffled)]
        for _, _, person, item in sorted(drawn, key=lambda row: row[:2])[:per_kind]:
            yield kind, person, [item, *(rng.choice(items[person][part]) for part in others)]
