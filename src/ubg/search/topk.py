"""Exact top k over a memory map, block by block.

As in `ubg.retrieval.ranking`, similarity is defined on integers: unit vectors are rounded to
multiples of 2^-26, and a second score is rounded to them and added. So equal images have equal
scores, whatever the block, the BLAS or the other queries of a batch; ties go to the lower row; and
the ranks are those of evaluation. The float32 product, whose error has a known bound, picks the
candidates, and only these are scored in integers.

Vectors kept in float16 are those that are searched, exactly: the rounded ones, at length 1 again.
Only against evaluation, which has them in float32, ranks may then differ.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

BLOCK_ROWS = 32_768
FEW = 8  # a block of which one in so many rows is allowed is gathered before the product
EXACT_ROWS = 16_384  # that are scored in integers at once
MAX_ADDED = 1000.0  # of a second score: in units of 2^-52 the sum then fits 64 bits


@dataclass(frozen=True)
class Scored:
    """The rows and vectors, and what is added to their cosines.

    Attributes:
        vectors_ND: unit vectors, float32 or rounded to float16.
        codes_NL: codes of the second score; None for the cosine alone.
    """

    vectors_ND: NDArray[np.floating]
    codes_NL: NDArray[Any] | None = None


def exact_top(
    rows: Scored,
    vectors_QD: NDArray[np.float32],
    evidence_QLV: NDArray[np.float32] | None,
    allowed_N: NDArray[np.bool_],
    count: int,
) -> list[tuple[NDArray[np.int64], NDArray[np.float64]]]:
    """The best rows of each query, best first, and their scores; fewer where fewer are allowed.

    Args:
        rows: N of them.
        vectors_QD: unit vectors of the queries.
        evidence_QLV: what each query says of the code at each place; goes with `rows.codes_NL`.
        allowed_N: the rows that may be found.
        count: how many are wanted.
    """
    candidates = [_Candidates(count, _margin(rows, evidence_QLV)) for _ in vectors_QD]
    for block_B, scores_QB in _blocks(rows, vectors_QD, evidence_QLV, allowed_N):
        for chosen, scores_B in zip(candidates, scores_QB, strict=True):
            chosen.offer(block_B, scores_B)
    return [
        best_of(
            rows,
            chosen.rows(),
            vectors_QD[query],
            None if evidence_QLV is None else evidence_QLV[query],
            count,
        )
        for query, chosen in enumerate(candidates)
    ]


def best_of(
    rows: Scored,
    candidates: NDArray[np.int64],
    vector_D: NDArray[np.float32],
    evidence_LV: NDArray[np.float32] | None,
    count: int,
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """The best of some rows by the exact score, ties to the lower row, and their scores."""
    from ubg.retrieval.counting import UNITS

    best, exact = np.empty(0, np.int64), np.empty(0, np.int64)
    for start in range(0, len(candidates), EXACT_ROWS):
        some = candidates[start : start + EXACT_ROWS]
        best = np.concatenate([best, some])
        exact = np.concatenate([exact, _exact_scores(rows, some, vector_D, evidence_LV)])
        order = np.lexsort((best, -exact))[:count]
        best, exact = best[order], exact[order]
    return best, exact / UNITS**2


def _exact_scores(
    rows: Scored,
    some: NDArray[np.int64],
    vector_D: NDArray[np.float32],
    evidence_LV: NDArray[np.float32] | None,
) -> NDArray[np.int64]:
    """In units of 2^-52."""
    from ubg.retrieval.counting import UNIT_BITS, UNITS

    codes_CD = _in_units(rows.vectors_ND[some].astype(np.float32, copy=False))
    exact_C = codes_CD.astype(np.int64) @ _in_units(vector_D[None])[0].astype(np.int64)
    if evidence_LV is not None:
        added_C = _added(rows, some, evidence_LV[None])[0]
        exact_C += np.rint(added_C.astype(np.float64) * UNITS).astype(np.int64) << UNIT_BITS
    return exact_C


def _in_units(vectors_ND: NDArray[np.float32]) -> NDArray[np.int32]:
    from ubg.retrieval.counting import encode_rows

    codes_ND = np.empty(vectors_ND.shape, np.int32)
    broken = encode_rows(np.ascontiguousarray(vectors_ND), codes_ND, np.empty_like(vectors_ND))
    if broken >= 0:
        raise ValueError("the gallery has a vector that is not finite; index the folders anew")
    return codes_ND


def _added(
    rows: Scored, some: NDArray[np.int64] | slice, evidence_QLV: NDArray[np.float32]
) -> NDArray[np.float32]:
    """The second score of each query and row."""
    from ubg.retrieval.counting import sum_at_codes

    assert rows.codes_NL is not None
    # The compiled loop checks no bounds.
    assert rows.codes_NL.shape[1] == evidence_QLV.shape[1]
    codes_LB = np.ascontiguousarray(rows.codes_NL[some].T, np.int32)
    if codes_LB.max(initial=0) >= evidence_QLV.shape[2]:
        raise ValueError("the gallery has a code that the model does not know; index anew")
    added_QB = np.empty((len(evidence_QLV), codes_LB.shape[1]), np.float32)
    sum_at_codes(evidence_QLV, codes_LB, added_QB)
    return added_QB


def _blocks(
    rows: Scored,
    vectors_QD: NDArray[np.float32],
    evidence_QLV: NDArray[np.float32] | None,
    allowed_N: NDArray[np.bool_],
) -> Iterator[tuple[NDArray[np.int64] | int, NDArray[np.float32]]]:
    """Scores of blocks of rows, and which rows: their numbers, or the first where none is left out.

    The scores are valid until the next block is asked for.
    """
    single = len(vectors_QD) == 1
    buffer = np.empty((len(vectors_QD), BLOCK_ROWS), np.float32)
    for start in range(0, len(allowed_N), BLOCK_ROWS):
        allowed_B = allowed_N[start : start + BLOCK_ROWS]
        open_rows = int(np.count_nonzero(allowed_B))
        if open_rows == 0:
            continue
        some: NDArray[np.int64] | slice = slice(start, start + len(allowed_B))
        if open_rows * FEW < len(allowed_B):
            some = start + np.flatnonzero(allowed_B)
        vectors_BD = rows.vectors_ND[some].astype(np.float32, copy=False)
        scores_QB = buffer[:, : len(vectors_BD)]
        if single:
            np.matmul(vectors_BD, vectors_QD[0], out=scores_QB[0])
        else:
            np.matmul(vectors_QD, vectors_BD.T, out=scores_QB)
        if evidence_QLV is not None:
            scores_QB += _added(rows, some, evidence_QLV)
        if isinstance(some, slice):
            if open_rows < len(allowed_B):
                scores_QB[:, ~allowed_B] = -np.inf
            yield start, scores_QB
        else:
            yield some, scores_QB


class _Candidates:
    """Of one query: all rows that may be among the best by the exact score."""

    def __init__(self, count: int, margin: float) -> None:
        self.count, self.margin = count, margin
        self.bar = np.float32(-np.inf)
        self.kept: list[NDArray[np.int64]] = []
        self.scores: list[NDArray[np.float32]] = []
        self.waiting = 0

    def offer(self, block_B: NDArray[np.int64] | int, scores_B: NDArray[np.float32]) -> None:
        """Keep those of a block that reach the bar, and raise it when many have come together."""
        if self.bar == -np.inf and len(scores_B) > self.count:
            self.bar = self._bar(scores_B)
        hits = np.flatnonzero(scores_B >= self.bar)
        if len(hits) == 0:
            return
        self.kept.append(hits + block_B if isinstance(block_B, int) else block_B[hits])
        self.scores.append(scores_B[hits])
        self.waiting += len(hits)
        if self.waiting > self.count:
            self._prune()

    def rows(self) -> NDArray[np.int64]:
        """The candidates, ascending."""
        if not self.kept:
            return np.empty(0, np.int64)
        rows, scores = np.concatenate(self.kept), np.concatenate(self.scores)
        return rows[scores > -np.inf]

    def _prune(self) -> None:
        rows, scores = np.concatenate(self.kept), np.concatenate(self.scores)
        if len(rows) > self.count:
            self.bar = max(self.bar, self._bar(scores))
        reach = scores >= self.bar
        self.kept, self.scores = [rows[reach]], [scores[reach]]
        self.waiting = 0

    def _bar(self, scores: NDArray[np.float32]) -> np.float32:
        """Below it, `count` rows are better even where both errors are as large as can be."""
        place = len(scores) - self.count
        return np.float32(np.partition(scores, place)[place] - self.margin)


def _margin(rows: Scored, evidence_QLV: NDArray[np.float32] | None) -> float:
    """Twice the largest error of a float32 score.

    That of a product of D terms is (D + 2) u of the sum of their magnitudes (Higham, "Accuracy and
    Stability of Numerical Algorithms", section 3.1), u = 2^-24, D u (1 + D u) with the higher
    terms; unit vectors as models give them are of length 1 up to 2^-20, and their rounding to units
    of 2^-26 moves the product by sqrt(D) 2^-26 at most. Vectors rounded to float16 are of length 1
    up to 2^-11, and sqrt(D) 2^-25 for their smallest numbers. A second score adds the rounding of a
    sum.
    """
    dimension = rows.vectors_ND.shape[1]
    error = 1.01 * (dimension + 2) * 2.0**-24 + 2 * 2.0**-20 + dimension**0.5 * 2.0**-26
    if rows.vectors_ND.dtype == np.float16:
        error += 2.0**-11 + dimension**0.5 * 2.0**-25
    if evidence_QLV is not None:
        largest = float(np.abs(evidence_QLV).max(axis=2).sum(axis=1).max(initial=0))
        if not largest <= MAX_ADDED:
            raise ValueError("the second score of the query is out of range; check the model")
        error += 2.0**-27 + 2.0**-23 * (1 + largest)
    return 2 * error
