"""Paired bootstrap: how far the queries at hand leave the difference of two systems open."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

CHUNK_WEIGHTS = 2_000_000


@dataclass(frozen=True)
class Interval:
    """A mean and the ends of its confidence interval."""

    mean: float
    low: float
    high: float

    @property
    def excludes_zero(self) -> bool:
        return self.low > 0 or self.high < 0

    def markdown(self) -> str:
        """Such as `+1.20 [-0.31, +2.75]`, the mean in bold where the interval excludes zero."""
        mark = "**" if self.excludes_zero else ""
        return f"{mark}{self.mean:+z.2f}{mark} [{self.low:+z.2f}, {self.high:+z.2f}]"


def paired_bootstrap(
    difference_Q: NDArray[Any],
    pids: NDArray[Any],
    resamples: int = 10_000,
    confidence: float = 0.95,
    seed: int = 0,
) -> Interval:
    """Percentile interval of the mean difference of two systems over the same queries.

    Captions of one identity share its images and are not independent: whole identities are drawn
    with replacement (cluster bootstrap; Davison and Hinkley, "Bootstrap Methods and their
    Application", 1997, section 3.8). Drawing C of C clusters gives each a multinomial count w_c;
    a resample's mean is sum w_c s_c / sum w_c n_c, with s_c the sum of the differences of cluster
    c and n_c its number of queries.

    The interval is about other queries of the same kind, for the models as they are. What another
    training run would give is not in it.

    Args:
        difference_Q: [Q], result of one system less that of the other, per query.
        pids: [Q], the identity of each query; give every query its own to resample queries.
        resamples: how many means are drawn.
        confidence: the share of them inside the interval.
        seed: of the draws.
    """
    _, cluster_Q = np.unique(pids, return_inverse=True)
    sum_C = np.bincount(cluster_Q, weights=difference_Q)
    queries_C = np.bincount(cluster_Q)
    clusters = len(sum_C)

    rng = np.random.default_rng(seed)
    chances_C = np.full(clusters, 1 / clusters)
    rows = max(1, CHUNK_WEIGHTS // clusters)
    means_R = np.empty(resamples)
    for start in range(0, resamples, rows):
        chunk = means_R[start : start + rows]
        weights_RC = rng.multinomial(clusters, chances_C, size=len(chunk)).astype(np.float64)
        chunk[:] = (weights_RC @ sum_C) / (weights_RC @ queries_C)
    tail = (1 - confidence) / 2
    low, high = np.quantile(means_R, [tail, 1 - tail])
    return Interval(float(np.mean(difference_Q)), float(low), float(high))
