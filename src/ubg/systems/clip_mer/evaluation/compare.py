"""Fusion against its controls: differences in mAP with intervals over identities, in points."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ubg.retrieval.bootstrap import Interval, paired_bootstraps
from ubg.systems.clip_mer.evaluation.controls import Controls
from ubg.systems.clip_mer.evaluation.kinds import AVERAGES, average_of

DIFFERENCES = ("over_mean", "over_left_out", "exchange_costs")


@dataclass(frozen=True)
class Part:
    """A part of a kind: mAP without it and with another person's, percent, and what it adds."""

    map_left_out: float
    map_exchanged: float
    gain: Interval


@dataclass(frozen=True)
class Compared:
    """The queries of a kind, or of all kinds of an average, by fusion and by its controls.

    Attributes:
        map_mean, map_left_out, map_exchanged: mAP of the controls, percent; the last two over the
            parts that are left out or exchanged.
        over_mean: what fusion has more than the mean of the parts' own embeddings.
        over_left_out: what all parts have more than all but one.
        exchange_costs: what all but one have more than all with one of another person.
        parts: of a kind, by name; none of an average.
    """

    map_mean: float
    map_left_out: float
    map_exchanged: float
    over_mean: Interval
    over_left_out: Interval
    exchange_costs: Interval
    parts: dict[str, Part]


def compare_kind(
    precision_Q: NDArray[np.float64], controls: Controls, pids: NDArray[np.int64]
) -> Compared:
    """Average precision of the Q queries of a kind, by fusion and by the controls, 0 to 1."""
    gains = {part: precision_Q - left for part, left in controls.left_out.items()}
    intervals = paired_bootstraps(_points({**_differences(precision_Q, controls), **gains}), pids)
    return Compared(
        map_mean=_percent(controls.mean),
        map_left_out=_percent(_over_parts(controls.left_out)),
        map_exchanged=_percent(_over_parts(controls.exchanged)),
        **{name: intervals[name] for name in DIFFERENCES},
        parts={
            part: Part(
                _percent(controls.left_out[part]),
                _percent(controls.exchanged[part]),
                intervals[part],
            )
            for part in gains
        },
    )


def compare_averages(
    precisions: Mapping[str, NDArray[np.float64]],
    controls: Mapping[str, Controls],
    pids: Mapping[str, NDArray[np.int64]],
) -> dict[str, Compared]:
    """The plain means over the kinds of two parts, of three and of four.

    Args:
        precisions: [Q] by kind, by fusion, 0 to 1.
        controls: by kind of several parts.
        pids: [Q] by kind.
    """
    compared = {}
    for average in AVERAGES[1:]:
        kinds = [kind for kind in controls if average_of(kind) == average]
        if not kinds:
            continue
        differences = [_differences(precisions[kind], controls[kind]) for kind in kinds]
        intervals = paired_bootstraps(
            _points({name: _evened([of[name] for of in differences]) for name in DIFFERENCES}),
            np.concatenate([pids[kind] for kind in kinds]),
        )
        of_kinds = [controls[kind] for kind in kinds]
        compared[average] = Compared(
            map_mean=_percent(_evened([of.mean for of in of_kinds])),
            map_left_out=_percent(_evened([_over_parts(of.left_out) for of in of_kinds])),
            map_exchanged=_percent(_evened([_over_parts(of.exchanged) for of in of_kinds])),
            **intervals,
            parts={},
        )
    return compared


def control_metrics(compared: Mapping[str, Compared]) -> dict[str, dict[str, float]]:
    """Controls by average as `metrics/<system>.json` has them, with the ends of the intervals.

    There is no interval where there are too few identities for one.
    """
    metrics: dict[str, dict[str, float]] = {}
    for average, of in compared.items():
        values = {"mean": of.map_mean, "left_out": of.map_left_out, "exchanged": of.map_exchanged}
        for name in DIFFERENCES:
            interval: Interval = getattr(of, name)
            values[name] = interval.mean
            if interval.ends is not None:
                values[f"{name}_low"], values[f"{name}_high"] = interval.ends
        metrics[average] = {name: round(value, 3) for name, value in values.items()}
    return metrics


def _differences(
    precision_Q: NDArray[np.float64], controls: Controls
) -> dict[str, NDArray[np.float64]]:
    left_Q, exchanged_Q = _over_parts(controls.left_out), _over_parts(controls.exchanged)
    return {
        "over_mean": precision_Q - controls.mean,
        "over_left_out": precision_Q - left_Q,
        "exchange_costs": left_Q - exchanged_Q,
    }


def _over_parts(by_part: Mapping[str, NDArray[np.float64]]) -> NDArray[np.float64]:
    """The mean over the parts, [Q]."""
    mean_Q: NDArray[np.float64] = np.mean(list(by_part.values()), axis=0)
    return mean_Q


def _evened(of_kinds: list[NDArray[np.float64]]) -> NDArray[np.float64]:
    """Queries of several kinds, each weighted so that their mean is that of the kinds' means."""
    total = sum(len(values) for values in of_kinds)
    return np.concatenate([values * total / (len(of_kinds) * len(values)) for values in of_kinds])


def _points(shares: Mapping[str, NDArray[np.float64]]) -> dict[str, NDArray[np.float64]]:
    return {name: 100 * values for name, values in shares.items()}


def _percent(values: NDArray[np.float64]) -> float:
    return 100 * float(values.mean())
