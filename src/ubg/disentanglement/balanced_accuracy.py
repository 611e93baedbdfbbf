"""Balanced accuracy of probes, and its spread over persons."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ubg.disentanglement.probes import Judged
from ubg.retrieval.bootstrap import ALIKE, FEWEST_CLUSTERS, NO_WIDTH, TOO_FEW, Interval

RESAMPLES = 2_000
SEED = 0
TAILS = (0.025, 0.975)


def chance(judged: Sequence[Judged]) -> float:
    """The mean balanced accuracy, in percent, of always saying the same, such as the majority.

    One class is always right and all others never, so that it is one over their number.
    """
    return 100 * float(np.mean([1 / (1 + one.class_M.max()) for one in judged]))


def balanced_accuracy(judged: Sequence[Judged]) -> float:
    """The mean over attributes of the mean over classes of the share told right, in percent."""
    persons_P = persons_of(judged)
    return float(_accuracies(judged, persons_P, np.ones((1, len(persons_P))))[0])


def interval(judged: Sequence[Judged]) -> Interval:
    """`balanced_accuracy` with its 95 % percentile interval over persons.

    Whole persons are drawn with replacement, as `paired_bootstraps` does. A class, or an attribute,
    that none of those drawn has counts for nothing in that resample.
    """
    return _interval(balanced_accuracy(judged), judged, [])


def difference(judged: Sequence[Judged], other: Sequence[Judged]) -> Interval:
    """The first less the second, both on the same persons drawn.

    Args:
        judged: what probes say of one embedding, one for each attribute.
        other: of another embedding, of the same images.
    """
    mean = balanced_accuracy(judged) - balanced_accuracy(other)
    return _interval(mean, judged, other)


def persons_of(judged: Sequence[Judged]) -> NDArray[np.int64]:
    """Everybody whom some attribute shows of, [P]."""
    return np.unique(np.concatenate([one.person_M for one in judged]))


def _interval(mean: float, judged: Sequence[Judged], less: Sequence[Judged]) -> Interval:
    persons_P = persons_of([*judged, *less])
    persons = len(persons_P)
    if persons < FEWEST_CLUSTERS:
        return Interval(mean, missing=TOO_FEW)
    rng = np.random.default_rng(SEED)
    drawn_RP = rng.multinomial(persons, np.full(persons, 1 / persons), size=RESAMPLES)
    weight_RP = drawn_RP.astype(np.float64)
    value_R = _accuracies(judged, persons_P, weight_RP)
    if less:
        value_R = value_R - _accuracies(less, persons_P, weight_RP)
    low, high = (float(end) for end in np.quantile(value_R, TAILS))
    return Interval(mean, low, high) if high - low > NO_WIDTH else Interval(mean, missing=ALIKE)


def _accuracies(
    judged: Sequence[Judged], persons_P: NDArray[np.int64], weight_RP: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Balanced accuracy in each resample, [R], percent."""
    accuracy_AR = []
    for one in judged:
        place_M = np.searchsorted(persons_P, one.person_M)
        all_PK = np.zeros((len(persons_P), 1 + one.class_M.max()))
        right_PK = np.zeros_like(all_PK)
        np.add.at(all_PK, (place_M, one.class_M), 1)
        np.add.at(right_PK, (place_M, one.class_M), one.right_M)
        all_RK, right_RK = weight_RP @ all_PK, weight_RP @ right_PK
        recall_RK = np.divide(right_RK, all_RK, out=np.zeros_like(all_RK), where=all_RK > 0)
        classes_R = (all_RK > 0).sum(axis=1)
        none_R = np.full(len(classes_R), np.nan)
        accuracy_AR.append(
            np.divide(recall_RK.sum(axis=1), classes_R, out=none_R, where=classes_R > 0)
        )
    accuracy_R: NDArray[np.float64] = 100 * np.nanmean(accuracy_AR, axis=0)
    return accuracy_R
