"""The compiled loops of the exact ranking; `ranking.py` says what they compute and why.

`added` is the second score of each query and item, [0, 0] where there is none. The loops release
the GIL, so that threads may run them side by side on parts of the same arrays.
"""

import numpy as np
from numpy.typing import NDArray

from ubg.runtime.compiled import cached_njit

UNITS = 2.0**26
UNIT_BITS = 26
SEGMENT = 128  # similarities that are counted at once, and searched where some are too near
CACHE_LINE = 16  # float32 values
MANY = 256  # relevant items of a query, from which on a search beats counting for each of them
UNKNOWN = np.iinfo(np.int64).min


@cached_njit(fastmath={"reassoc"})
def _squared_length(row: NDArray[np.floating]) -> float:
    total = 0.0
    for d in range(len(row)):
        total += np.float64(row[d]) * np.float64(row[d])
    return total


@cached_njit()
def encode_rows(
    features: NDArray[np.floating], codes: NDArray[np.int32], rounded: NDArray[np.float32]
) -> int:
    """Fill `codes` with the normalised rows in units of 2^-26 and `rounded` with their float32.

    A row of zeros stays zero. Returns the first row that is not finite, or -1.
    """
    for i in range(len(features)):
        length = np.sqrt(_squared_length(features[i]))
        if not np.isfinite(length):
            return i
        scale = UNITS / length if length > 0 else 0.0
        for d in range(features.shape[1]):
            code = np.rint(features[i, d] * scale)
            codes[i, d] = np.int32(code)
            rounded[i, d] = np.float32(code / UNITS)
    return -1


@cached_njit()
def _dot(a: NDArray[np.int32], b: NDArray[np.int32]) -> np.int64:
    total = np.int64(0)
    for d in range(len(a)):
        total += np.int64(a[d]) * np.int64(b[d])
    return total


@cached_njit()
def _similarity(
    query_codes: NDArray[np.int32],
    item_codes: NDArray[np.int32],
    added: NDArray[np.float32],
    query: int,
    item: int,
) -> np.int64:
    similarity = _dot(query_codes[query], item_codes[item])
    if added.size > 0:
        similarity += np.int64(np.rint(np.float64(added[query, item]) * UNITS)) << UNIT_BITS
    return similarity


@cached_njit()
def sort_pairs(
    query_codes: NDArray[np.int32],
    item_codes: NDArray[np.int32],
    added: NDArray[np.float32],
    starts: NDArray[np.int64],
    items: NDArray[np.int64],
    exact: NDArray[np.int64],
) -> None:
    """Fill `exact` with the similarity of each query to its items, in units of 2^-52.

    Sorts each query's items, given in ascending order, by falling similarity.
    """
    for query in range(len(starts) - 1):
        start, stop = starts[query], starts[query + 1]
        for p in range(start, stop):
            exact[p] = _similarity(query_codes, item_codes, added, query, items[p])
        order = np.argsort(-exact[start:stop], kind="mergesort")  # a stable sort: ties keep order
        exact[start:stop], items[start:stop] = exact[start:stop][order], items[start:stop][order]


@cached_njit()
def _count_above(
    row: NDArray[np.float32], low: np.float32, high: np.float32
) -> tuple[np.int32, np.int32]:
    reached, above = np.int32(0), np.int32(0)  # sums of 32 bits fill the vector registers
    for c in range(len(row)):
        reached = np.int32(reached + np.int32(row[c] >= low))
        above = np.int32(above + np.int32(row[c] > high))
    return reached, above


@cached_njit()
def _find_between(
    row: NDArray[np.float32], low: np.float32, high: np.float32, found: NDArray[np.int64]
) -> int:
    count = 0
    for first in range(0, len(row), CACHE_LINE):
        line = row[first : first + CACHE_LINE]
        reached, above = _count_above(line, low, high)
        if reached > above:
            for c in range(len(line)):
                found[count] = first + c  # kept or overwritten: a branch would be mispredicted
                count += (line[c] >= low) & (line[c] <= high)
    return count


@cached_njit()
def _first_below(falling: NDArray[np.float32], value: np.float32) -> int:
    """How many values at the beginning are not below `value`."""
    place, left = 0, len(falling)
    while left > 0:
        half = (left + 1) // 2
        # Not a branch, which would be mispredicted.
        place += half * (falling[place + half - 1] >= value)
        left -= half
    return place


@cached_njit()
def _first_beaten(
    exact: NDArray[np.int64], items: NDArray[np.int64], similarity: np.int64, item: int
) -> int:
    """The place among relevant items, most similar first, from which on `item` beats them."""
    left, right = 0, len(exact)
    while left < right:
        middle = (left + right) // 2
        if similarity > exact[middle] or (similarity == exact[middle] and item < items[middle]):
            right = middle
        else:
            left = middle + 1
    return left


@cached_njit()
def _search_winners(
    row: NDArray[np.float32],
    query: int,
    first_item: int,
    query_codes: NDArray[np.int32],
    item_codes: NDArray[np.int32],
    added: NDArray[np.float32],
    items: NDArray[np.int64],
    exact: NDArray[np.int64],
    low: NDArray[np.float32],
    high: NDArray[np.float32],
    winners: NDArray[np.int64],
) -> None:
    """Add 1 to `winners` at the first relevant item of one query that each item here beats."""
    for c in range(len(row)):
        item = first_item + c
        place = _first_below(high, row[c])
        near = place
        while near > 0 and low[near - 1] <= row[c]:
            near -= 1
            if items[near] == item or place - near == SEGMENT:
                break
        if near < place:
            if items[near] == item:
                place = near + 1
            else:
                similarity = _similarity(query_codes, item_codes, added, query, item)
                place = _first_beaten(exact, items, similarity, item)
        if place < len(winners):
            winners[place] += 1


@cached_njit()
def add_up_searched(starts: NDArray[np.int64], winners: NDArray[np.int64]) -> None:
    """Turn `winners` of the queries of many relevant items into sums, once all is counted.

    What beats a relevant item beats all less similar ones.
    """
    for query in range(len(starts) - 1):
        if starts[query + 1] - starts[query] > MANY:
            for k in range(starts[query] + 1, starts[query + 1]):
                winners[k] += winners[k - 1]


@cached_njit()
def count_winners(
    tile: NDArray[np.float32],
    width: int,
    first_query: int,
    first_item: int,
    query_codes: NDArray[np.int32],
    item_codes: NDArray[np.int32],
    added: NDArray[np.float32],
    starts: NDArray[np.int64],
    items: NDArray[np.int64],
    exact: NDArray[np.int64],
    low: NDArray[np.float32],
    high: NDArray[np.float32],
    winners: NDArray[np.int64],
) -> None:
    """Add to `winners` of each relevant item the number of this tile's items that beat it.

    The items are the first `width` columns of the tile; what lies beyond them pads its rows. The
    pairs of query q are `starts[q]` to `starts[q + 1]`, most similar first. A similarity of the
    tile above `high` wins, one below `low` loses; between the two the integers decide. Of a query
    of many pairs the numbers are those that `add_up_searched` adds up.
    """
    similarities = np.empty(SEGMENT, np.int64)
    unsure = np.empty(SEGMENT, np.int64)
    for r in range(tile.shape[0]):
        query = first_query + r
        pairs = slice(starts[query], starts[query + 1])
        if pairs.stop - pairs.start > MANY:
            _search_winners(
                tile[r, :width],
                query,
                first_item,
                query_codes,
                item_codes,
                added,
                items[pairs],
                exact[pairs],
                low[pairs],
                high[pairs],
                winners[pairs],
            )
            continue
        for first in range(0, width, SEGMENT):
            segment = tile[r, first : min(first + SEGMENT, width)]
            some_known = False
            for k in range(starts[query + 1] - 1, starts[query] - 1, -1):
                reached, above = _count_above(segment, low[k], high[k])
                if reached == 0:
                    break  # nor does any item here reach the more similar ones
                winners[k] += above
                here = first <= items[k] - first_item < first + len(segment)
                if reached - above == here:
                    continue  # nothing was near, or the relevant item itself
                if not some_known:
                    similarities[:], some_known = UNKNOWN, True
                for c in unsure[: _find_between(segment, low[k], high[k], unsure)]:
                    item = first_item + first + c
                    if similarities[c] == UNKNOWN:
                        similarities[c] = _similarity(query_codes, item_codes, added, query, item)
                    winners[k] += similarities[c] > exact[k] or (
                        similarities[c] == exact[k] and item < items[k]
                    )


@cached_njit()
def _transpose_line(tile: NDArray[np.float32], first: int, transposed: NDArray[np.float32]) -> None:
    for r in range(tile.shape[0]):
        for c in range(CACHE_LINE):  # a constant, so that the loop is unrolled
            transposed[c, r] = tile[r, first + c]


@cached_njit()
def count_winners_of_columns(
    tile: NDArray[np.float32],
    first_query: int,
    first_item: int,
    query_codes: NDArray[np.int32],
    item_codes: NDArray[np.int32],
    added: NDArray[np.float32],
    starts: NDArray[np.int64],
    items: NDArray[np.int64],
    exact: NDArray[np.int64],
    low: NDArray[np.float32],
    high: NDArray[np.float32],
    winners: NDArray[np.int64],
) -> None:
    """Do as `count_winners` with the columns of the tile as queries and its rows as items."""
    height, width = tile.shape
    # Rows that lie a power of two apart would all fall into the same few sets of the cache.
    transposed = np.empty((CACHE_LINE, height + CACHE_LINE), np.float32)
    for first in range(0, width, CACHE_LINE):
        count = min(CACHE_LINE, width - first)
        if count == CACHE_LINE:
            _transpose_line(tile, first, transposed)
        else:
            transposed[:count, :height] = tile[:, first:].T
        count_winners(
            transposed[:count],
            height,
            first_query + first,
            first_item,
            query_codes,
            item_codes,
            added,
            starts,
            items,
            exact,
            low,
            high,
            winners,
        )


@cached_njit()
def sum_at_codes(
    evidence: NDArray[np.float32], codes: NDArray[np.int32], out: NDArray[np.float32]
) -> None:
    """Fill `out` [B, I] with the sums over l of `evidence[b, l, codes[l, i]]`.

    The places are added in their order, in float64, so that columns of the same codes get the same
    sum. The evidence of one place stays in the cache while all images look it up.

    Args:
        evidence: [B, L, V].
        codes: [L, I], each from 0 to V - 1.
        out: [B, I].
    """
    total = np.empty(codes.shape[1])
    for b in range(len(evidence)):
        total[:] = 0
        for place in range(len(codes)):
            row, code = evidence[b, place], codes[place]
            for i in range(len(total)):
                total[i] += np.float64(row[code[i]])
        for i in range(len(total)):
            out[b, i] = np.float32(total[i])
