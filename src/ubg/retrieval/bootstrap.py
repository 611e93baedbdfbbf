"""Confidence intervals of the difference of two systems: over the queries and over the seeds."""

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

CHUNK_WEIGHTS = 2_000_000
# 97.5 % quantiles of Student's t for 1 to 10 degrees of freedom.
T_975 = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228)


# Resamples of few identities hardly differ: their quantiles are far too close together.
FEWEST_CLUSTERS = 20
TOO_FEW = f"No interval over fewer than {FEWEST_CLUSTERS} identities: so few tell little of others."
# What does not vary tells nothing of how much others would, which is not that they would not.
NO_WIDTH = 1e-9
ALIKE = "No interval where all runs, or all identities, agree: it would have no width."


@dataclass(frozen=True)
class Interval:
    """A mean and the ends of its confidence interval; where there is none, `missing` says why."""

    mean: float
    low: float | None = None
    high: float | None = None
    missing: str | None = None

    @property
    def ends(self) -> tuple[float, float] | None:
        return None if self.low is None or self.high is None else (self.low, self.high)

    @property
    def excludes_zero(self) -> bool:
        return self.ends is not None and (self.ends[0] > 0 or self.ends[1] < 0)

    def markdown(self) -> str:
        """Such as `[-0.31, +2.75]`."""
        return "[–]" if self.ends is None else f"[{self.ends[0]:+z.2f}, {self.ends[1]:+z.2f}]"


def paired_bootstrap(
    difference_Q: NDArray[Any],
    pids: NDArray[Any],
    resamples: int = 10_000,
    confidence: float = 0.95,
    seed: int = 0,
) -> Interval:
    """The interval of one metric, see `paired_bootstraps`: `difference_Q` [Q], `pids` [Q]."""
    alone = {"": difference_Q}
    return paired_bootstraps(alone, pids, resamples, confidence, seed)[""]


def paired_bootstraps(
    differences: Mapping[str, NDArray[Any]],
    pids: NDArray[Any],
    resamples: int = 10_000,
    confidence: float = 0.95,
    seed: int = 0,
) -> dict[str, Interval]:
    """Percentile intervals of the mean differences of two systems over the same queries.

    Captions of one identity share its images and are not independent: whole identities are drawn
    with replacement (cluster bootstrap; Davison and Hinkley, "Bootstrap Methods and their
    Application", 1997, section 3.8). Drawing C of C clusters gives each a multinomial count w_c;
    a resample's mean is sum w_c s_c / sum w_c n_c, with s_c the sum of the differences of cluster
    c and n_c its number of queries.

    The interval covers the choice of queries, for these trained models. It does not cover the
    variation between training runs. Below `FEWEST_CLUSTERS`, and where all clusters agree, there is
    a mean alone.

    Args:
        differences: [Q] by metric, result of one system less that of the other, per query.
        pids: [Q], the identity of each query; give every query its own to resample queries.
        resamples: how many means are drawn.
        confidence: the share of them inside the interval.
        seed: of the draws.
    """
    _, cluster_Q = np.unique(pids, return_inverse=True)
    queries_C = np.bincount(cluster_Q)
    clusters, metrics = len(queries_C), len(differences)
    if clusters < FEWEST_CLUSTERS:
        return {
            metric: Interval(float(np.mean(difference_Q)), missing=TOO_FEW)
            for metric, difference_Q in differences.items()
        }
    sums_CM = np.empty((clusters, metrics))
    for column, difference_Q in enumerate(differences.values()):
        sums_CM[:, column] = np.bincount(cluster_Q, weights=difference_Q)

    rng = np.random.default_rng(seed)
    chances_C = np.full(clusters, 1 / clusters)
    rows = max(1, CHUNK_WEIGHTS // clusters)
    means_RM = np.empty((resamples, metrics))
    for start in range(0, resamples, rows):
        chunk = means_RM[start : start + rows]
        weights_RC = rng.multinomial(clusters, chances_C, size=len(chunk)).astype(np.float64)
        chunk[:] = (weights_RC @ sums_CM) / (weights_RC @ queries_C)[:, None]
    tail = (1 - confidence) / 2
    low_M, high_M = np.quantile(means_RM, [tail, 1 - tail], axis=0)
    return {
        metric: _interval(float(np.mean(difference_Q)), float(low), float(high))
        for (metric, difference_Q), low, high in zip(
            differences.items(), low_M, high_M, strict=True
        )
    }


def interval_over_seeds(differences: Sequence[float]) -> Interval | None:
    """95 % interval of the mean of one difference per seed (Student's t); None for a single seed.

    Beyond eleven seeds the quantile of ten degrees of freedom stays: on the safe side. Where all
    seeds agree there is a mean alone.
    """
    seeds = len(differences)
    if seeds == 1:
        return None
    mean, deviation = statistics.fmean(differences), statistics.stdev(differences)
    reach = T_975[min(seeds - 1, len(T_975)) - 1] * deviation / math.sqrt(seeds)
    return _interval(mean, mean - reach, mean + reach)


def _interval(mean: float, low: float, high: float) -> Interval:
    return Interval(mean, low, high) if high - low > NO_WIDTH else Interval(mean, missing=ALIKE)
