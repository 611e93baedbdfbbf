"""Crossings: the same person in another outfit, and the same outfit on another person.

Image to image. Pictures of the same person in the same outfit are left out of the gallery of a
query, as data sets of changing clothes are measured (Yang et al., "Person Re-identification by
Contour Sketch under Moderate Clothing Change", arXiv 2002.02295): an embedding of clothes would
find a person by them, and one of bodies an outfit.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

QUERIES_AT_ONCE = 256


@dataclass(frozen=True)
class Crossing:
    """How the Q images rank that have something to find.

    Attributes:
        query_Q: which image asks.
        first_rank_Q: of the best match, from 1.
        average_precision_Q: 0 to 1.
        chance_Q: share of matches in the gallery, the chance of one at the first place.
    """

    query_Q: NDArray[np.int64]
    first_rank_Q: NDArray[np.int64]
    average_precision_Q: NDArray[np.float64]
    chance_Q: NDArray[np.float64]

    def values(self) -> dict[str, NDArray[np.float64]]:
        """What each query adds to R@1 and to mAP, percent, [Q]."""
        return {"r1": 100.0 * (self.first_rank_Q == 1), "map": 100 * self.average_precision_Q}


def cross(
    feature_ND: NDArray[np.floating], sought_N: NDArray[np.int64], pid_N: NDArray[np.int64]
) -> Crossing | None:
    """Rank all images of other identities by cosine similarity, for each image.

    Ties go to the lower index.

    Args:
        feature_ND: unit vectors.
        sought_N: what a match has in common with the query: the person, or the outfit.
        pid_N: a person in an outfit.

    Returns:
        None where no image has a match.
    """
    chunks = range(0, len(feature_ND), QUERIES_AT_ONCE)
    parts = [
        _ranked(slice(start, start + QUERIES_AT_ONCE), feature_ND, sought_N, pid_N)
        for start in chunks
    ]
    query_Q, first_rank_Q, average_precision_Q, chance_Q = map(
        np.concatenate, zip(*parts, strict=True)
    )
    if len(query_Q) == 0:
        return None
    return Crossing(query_Q, first_rank_Q, average_precision_Q, chance_Q)


def _ranked(
    chunk: slice,
    feature_ND: NDArray[np.floating],
    sought_N: NDArray[np.int64],
    pid_N: NDArray[np.int64],
) -> tuple[NDArray[Any], ...]:
    """The fields of `Crossing` for those images of a chunk that have a match."""
    other_BN = pid_N[chunk, None] != pid_N
    match_BN = other_BN & (sought_N[chunk, None] == sought_N)
    asking_B = match_BN.any(axis=1)
    other_QN, match_QN = other_BN[asking_B], match_BN[asking_B]
    similarity_QN = feature_ND[chunk][asking_B] @ feature_ND.T
    # Those left out come last, where they change no rank.
    order_QN = np.argsort(np.where(other_QN, -similarity_QN, np.inf), axis=1, kind="stable")
    hit_QN = np.take_along_axis(match_QN, order_QN, axis=1)
    matches_Q = hit_QN.sum(axis=1)
    precision_QN = hit_QN.cumsum(axis=1) / np.arange(1, len(feature_ND) + 1)
    return (
        np.arange(len(feature_ND))[chunk][asking_B],
        1 + hit_QN.argmax(axis=1),
        (precision_QN * hit_QN).sum(axis=1) / matches_Q,
        matches_Q / other_QN.sum(axis=1),
    )
