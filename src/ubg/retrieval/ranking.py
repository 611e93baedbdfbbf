"""Exact ranks of the relevant items of every query, without a sort or the whole matrix.

The rank of a relevant item is 1 + the number of gallery items that beat it: those of greater
similarity, and of equal similarity those of lower index. So it is enough to count, tile by tile
of the similarity matrix, against the similarities of the relevant pairs; a tile and its transpose
serve both directions.

Floating-point products of equal rows may differ in the last bits, depending on where in a tile the
rows fall, on the BLAS and on its threads, and ties would then be broken at random. So similarity
is *defined* on integers: each L2-normalised feature is rounded to a multiple of 2^-26, finer than
a float32 product is, and integer dot products are exact. The float32 product of the same rows,
whose error has a known bound, decides all comparisons but those that are closer than the bound,
and these are done on the integers.

A second score may be added to the cosine. It is rounded to a multiple of 2^-26 too, and added as
an integer.
"""

import itertools
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ubg.retrieval.pairs import (
    Array,
    Side,
    read_added,
    read_side,
    relevant_pairs,
    require_matches,
    thread_count,
)

TILE_ROWS, TILE_COLUMNS = 512, 512  # one MiB, as the second-level cache of many cores

Tile: TypeAlias = NDArray[np.float32]


@dataclass(frozen=True)
class Ranking:
    """Ranks, from 1, of the relevant gallery items of Q queries.

    Attributes:
        ranks: [P], ascending within a query, P the number of relevant pairs.
        items: [P], gallery index of the item at that rank.
        starts: [Q + 1], the pairs of query q are `starts[q]` to `starts[q + 1]`.
    """

    ranks: NDArray[np.int64]
    items: NDArray[np.int64]
    starts: NDArray[np.int64]

    @cached_property
    def first_rank(self) -> NDArray[np.int64]:
        """Rank of the best relevant item of each query, [Q]."""
        return self.ranks[self.starts[:-1]]

    @cached_property
    def average_precision(self) -> NDArray[np.float64]:
        """Mean of the precision at the ranks of all relevant items, [Q], 0 to 1."""
        relevant_Q = np.diff(self.starts)
        found_P = np.arange(1, len(self.ranks) + 1) - np.repeat(self.starts[:-1], relevant_Q)
        return np.add.reduceat(found_P / self.ranks, self.starts[:-1]) / relevant_Q

    @cached_property
    def inverse_negative_penalty(self) -> NDArray[np.float64]:
        """INP: number of relevant items / rank of the last one, [Q], 0 to 1."""
        return np.diff(self.starts) / self.ranks[self.starts[1:] - 1]

    def cmc(self, max_rank: int) -> NDArray[np.float64]:
        """Queries with a relevant item among the first 1 to `max_rank`, [max_rank], percent."""
        at_rank = np.bincount(self.first_rank, minlength=max_rank + 1)
        return 100 * np.cumsum(at_rank[1 : max_rank + 1]) / len(self.first_rank)


def relevant_ranks(
    query_features: Array, gallery_features: Array, query_pids: Array, gallery_pids: Array
) -> Ranking:
    """Rank the gallery for each query by cosine similarity, ties to the lower gallery index.

    The relevant items of a query are those of its identity. A row of zeros has similarity 0 to all.

    Args:
        query_features: [Q, D], rows of any length.
        gallery_features: [G, D], rows of any length.
        query_pids: [Q], integers.
        gallery_pids: [G], integers.

    Raises:
        ValueError: shapes that do not fit, values that are masked, no dense array or no numbers, a
            feature that is not finite, or a query without a relevant item.
    """
    with ThreadPoolExecutor(thread_count()) as pool:
        queries = read_side("query", query_features, query_pids, pool)
        gallery = read_side("gallery", gallery_features, gallery_pids, pool)
        require_matches(queries, gallery)
        direction = _Direction(queries, gallery, read_added(None, 0, 0))
        _count(direction, None, pool)
    return direction.ranking()


def bidirectional_ranks(
    text_features: Array,
    image_features: Array,
    text_pids: Array,
    image_pids: Array,
    added_TI: "Array | None" = None,
) -> tuple[Ranking, Ranking]:
    """Return `relevant_ranks` text-to-image and image-to-text, both from one similarity product.

    An image of somebody whom no text describes is a distractor: every text may find it, and it is
    no query from image to text. Those queries are the images that have a text, in their order. With
    a second score, similarity is its sum with the cosine.

    Args:
        text_features: [T, D], rows of any length.
        image_features: [I, D], rows of any length.
        text_pids: [T], integers.
        image_pids: [I], integers.
        added_TI: a second score of each pair, within -16 to 16, taken in units of 2^-26.

    Raises:
        ValueError: as `relevant_ranks`, with the texts as queries; or a second score of another
            shape, not finite or out of range.
    """
    with ThreadPoolExecutor(thread_count()) as pool:
        texts = read_side("text", text_features, text_pids, pool)
        images = read_side("image", image_features, image_pids, pool)
        require_matches(texts, images)
        added = read_added(added_TI, len(texts.pids), len(images.pids))
        text_to_image, image_to_text = pool.map(
            _Direction, (texts, images), (images, texts), (added, added.T)
        )
        _count(text_to_image, image_to_text, pool)
    return text_to_image.ranking(), image_to_text.ranking()


class _Direction:
    """Relevant pairs of one direction, whose ranks start at 1 and grow tile by tile."""

    def __init__(self, queries: Side, gallery: Side, added_QG: NDArray[np.float32]) -> None:
        self.queries, self.gallery, self.added_QG = queries, gallery, added_QG
        self.pairs = relevant_pairs(queries, gallery, added_QG)
        self.ranks = np.ones(len(self.pairs.items), np.int64)

    def count_rows(self, tile: Tile, query: int, item: int, winners_P: NDArray[np.int64]) -> None:
        """Count with the rows of a tile, which starts at `query` and `item`, as queries."""
        from ubg.retrieval.counting import count_winners

        count_winners(tile, tile.shape[1], query, item, *self._arrays(), winners_P)

    def count_columns(
        self, tile: Tile, query: int, item: int, winners_P: NDArray[np.int64]
    ) -> None:
        """Count with the columns of a tile, which starts at `query` and `item`, as queries."""
        from ubg.retrieval.counting import count_winners_of_columns

        count_winners_of_columns(tile, query, item, *self._arrays(), winners_P)

    def _arrays(self) -> tuple[NDArray[Any], ...]:
        pairs = self.pairs
        return (
            self.queries.codes,
            self.gallery.codes,
            self.added_QG,
            pairs.starts,
            pairs.items,
            pairs.exact,
            pairs.low,
            pairs.high,
        )

    def ranking(self) -> Ranking:
        """Of the queries that have a relevant item."""
        return Ranking(self.ranks, self.pairs.items, np.unique(self.pairs.starts))


def _count(forward: _Direction, backward: _Direction | None, pool: ThreadPoolExecutor) -> None:
    """Add to each rank the items that beat it; every thread takes the next tile that is left.

    A thread multiplies and counts its tile alone, while the tile is in its cache. A multi-threaded
    BLAS would keep its threads spinning between two products, on the cores that do the counting.
    """
    from threadpoolctl import threadpool_limits

    from ubg.retrieval.counting import add_up_searched

    queries_QD, gallery_GD = forward.queries.rounded, forward.gallery.rounded
    added_QG = forward.added_QG
    tiles = itertools.product(
        range(0, len(queries_QD), TILE_ROWS), range(0, len(gallery_GD), TILE_COLUMNS)
    )
    directions = (forward,) if backward is None else (forward, backward)

    def count_tiles(_: int) -> list[NDArray[np.int64]]:
        winners = [np.zeros_like(direction.ranks) for direction in directions]
        buffer = np.empty(TILE_ROWS * TILE_COLUMNS, np.float32)
        for row, column in tiles:
            rows_RD = queries_QD[row : row + TILE_ROWS]
            columns_CD = gallery_GD[column : column + TILE_COLUMNS]
            shape = len(rows_RD), len(columns_CD)
            tile_RC = buffer[: shape[0] * shape[1]].reshape(shape)
            np.matmul(rows_RD, columns_CD.T, out=tile_RC)
            if added_QG.size > 0:
                tile_RC += added_QG[row : row + TILE_ROWS, column : column + TILE_COLUMNS]
            forward.count_rows(tile_RC, row, column, winners[0])
            if backward is not None:
                backward.count_columns(tile_RC, column, row, winners[1])
        return winners

    with threadpool_limits(1, "blas"):
        for winners in pool.map(count_tiles, range(thread_count())):
            for direction, winners_P in zip(directions, winners, strict=True):
                add_up_searched(direction.pairs.starts, winners_P)
                direction.ranks += winners_P
