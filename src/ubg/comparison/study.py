"""A study: experiments that differ in their seed alone are one group, groups are compared.

Two rows of the ladder, or two groups, are compared over the same queries and the same seeds. A
query's difference is its mean over the seeds. Two intervals go with it, since there are two sources
of chance: one from resampling identities, for these runs, and one over the seeds, for these
queries.
"""

import re
import statistics
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ubg.comparison.experiments import Experiment
from ubg.comparison.ladder import in_order, rung
from ubg.evaluation.queries import METRICS, QueryResults, require_same_queries
from ubg.retrieval.bootstrap import Interval, interval_over_seeds, paired_bootstraps


@dataclass(frozen=True)
class Group:
    """Experiments that differ in their seed alone, by seed; `values` are the params that vary."""

    values: dict[str, Any]
    runs: dict[int, Experiment]

    @property
    def label(self) -> str:
        params = [f"{key}={shown(value)}" for key, value in self.values.items()]
        return ", ".join(params) or "all runs"

    @property
    def systems(self) -> list[str]:
        """The systems that all runs of the study have metrics for."""
        return list(next(iter(self.runs.values())).metrics)

    @property
    def rows(self) -> list[str]:
        """The rows of the ladder that all runs have results for."""
        return in_order(set.intersection(*(set(run.queries) for run in self.runs.values())))


@dataclass(frozen=True)
class Spread:
    """Mean and sample standard deviation over `seeds` runs; None where there is one run only."""

    seeds: int
    mean: float
    deviation: float | None


@dataclass(frozen=True)
class Difference:
    """The difference of two results, in percentage points, by the keys of `METRICS`.

    Attributes:
        heading: what is compared, such as `phase4 – phase3`.
        label: of the group in which it is measured.
        row: whose results the others are subtracted from.
        seeds: of the runs that are compared.
        intervals: over queries, of the mean over the seeds.
        over_seeds: over the differences of the single runs; None for one run.
    """

    heading: str
    label: str
    row: str
    seeds: tuple[int, ...]
    intervals: dict[str, Interval]
    over_seeds: dict[str, Interval | None]


def group_experiments(experiments: list[Experiment]) -> list[Group]:
    """Put experiments that differ in their seed alone together; groups in order of their values.

    Raises:
        ValueError: two experiments with the same params and the same seed.
    """
    varying = varying_keys(experiments)
    runs: dict[tuple[str, ...], dict[int, Experiment]] = {}
    for experiment in experiments:
        key = tuple(shown(experiment.params.get(name)) for name in varying)
        of_group = runs.setdefault(key, {})
        if experiment.seed in of_group:
            raise ValueError(
                f"experiments {of_group[experiment.seed].name} and {experiment.name} have the same "
                "params and seed; name those to include, or `dvc exp remove` one of the two"
            )
        of_group[experiment.seed] = experiment
    groups = []
    for found in runs.values():
        params = next(iter(found.values())).params
        values = {name: params.get(name) for name in varying}
        groups.append(Group(values, dict(sorted(found.items()))))
    return sorted(groups, key=lambda group: [_order(value) for value in group.values.values()])


def varying_keys(experiments: list[Experiment]) -> list[str]:
    """The params that make groups; keys of presets count only where one preset has two values."""
    keys = dict.fromkeys(key for experiment in experiments for key in experiment.params)
    varying = []
    for key in keys:
        if key in ("dataset", "scale"):
            values = {experiment.params[key] for experiment in experiments}
            differs = len(values) > 1
        else:
            by_preset: dict[tuple[str, str], set[str]] = {}
            for experiment in experiments:
                preset = (experiment.params["dataset"], experiment.params["scale"])
                by_preset.setdefault(preset, set()).add(shown(experiment.params.get(key)))
            differs = any(len(values) > 1 for values in by_preset.values())
        if differs:
            varying.append(key)
    return varying


def all_rows(groups: list[Group]) -> list[str]:
    """The rows that any group has, in the order of the ladder."""
    return in_order(row for group in groups for row in group.rows)


def scores(group: Group, row: str, metric: str) -> list[float]:
    """What each run scored on test, text to image, in one of `METRICS`."""
    return [float(run.queries[row].values(metric).mean()) for run in group.runs.values()]


def retrieval_spread(group: Group, row: str) -> dict[str, Spread]:
    """Text-to-image metrics of one row on test over the seeds, by the keys of `METRICS`."""
    return {metric: _spread(scores(group, row, metric)) for metric in METRICS}


def generation_spread(group: Group, system: str) -> dict[str, Spread]:
    """What all runs report under `generation` as plain numbers, in the order of the file."""
    runs = [run.metrics[system].generation for run in group.runs.values()]
    names = [name for name in runs[0] if all(_is_number(run.get(name)) for run in runs)]
    return {name: _spread([float(run[name]) for run in runs]) for name in names}


def step_differences(groups: list[Group]) -> list[Difference]:
    """Each row against its step before and its control, in each group that has both.

    One that is the same in all groups, since the params reach neither row, is told once.

    Raises:
        ValueError: runs over other queries.
    """
    found = []
    for row in all_rows(groups):
        for before in (rung(row).step_before, rung(row).control):
            of_row = []
            for group in groups:
                if before in group.rows and row in group.rows:
                    ours, theirs = _by_seed(group, row), _by_seed(group, before)
                    heading = f"{row} – {before}"
                    of_row.append(_difference(heading, group.label, row, ours, theirs))
            found += _once(of_row)
    return found


def reference_differences(groups: list[Group], reference: dict[str, str]) -> list[Difference]:
    """Each group against the group that has the values of `reference` and is otherwise the same.

    Each row is compared with itself. Left out are groups without such a counterpart, and rows that
    the params do not reach: all their results are the same.

    Args:
        groups: of the study.
        reference: see `parse_reference`.

    Raises:
        ValueError: a key that does not vary, nothing to compare, no seed in common, other queries.
    """
    for key in reference:
        if key not in groups[0].values:
            varying = ", ".join(groups[0].values) or "none but the seed"
            raise ValueError(f"--reference: {key} does not vary; what does: {varying}")
    by_values = {_shown_values(group.values): group for group in groups}
    against = ", ".join(f"{key}={value}" for key, value in reference.items())
    found = []
    for row in all_rows(groups):
        of_row = []
        for group in groups:
            wanted = tuple(reference.get(key, shown(value)) for key, value in group.values.items())
            other = by_values.get(wanted, group)
            if other is not group and row in group.rows and row in other.rows:
                ours, theirs = _by_seed(group, row), _by_seed(other, row)
                heading = f"{row}, against {against}"
                of_row.append(_difference(heading, group.label, row, ours, theirs))
        if any(_differ(interval) for d in of_row for interval in d.intervals.values()):
            found += of_row
    if not found:
        raise ValueError(
            f"--reference: nothing to compare with {against}: no two groups differ in that alone, "
            "or their results are the same"
        )
    return found


def _differ(interval: Interval) -> bool:
    """Whether any query told the two apart."""
    return interval.mean != 0 if interval.ends is None else any(interval.ends)


def parse_reference(text: str) -> dict[str, str]:
    """Parse `key=value` or `key=value,key=[value,value]` to the values as `shown` writes them.

    Raises:
        ValueError: another form.
    """
    reference = {}
    for part in re.split(r",(?![^\[]*\])", text):  # at commas outside of brackets
        key, equals, value = part.partition("=")
        if not (key and equals and value):
            raise ValueError(f"--reference: {part!r} is not of the form key=value")
        reference[key.strip()] = _as_shown(value.strip())
    return reference


def _as_shown(value: str) -> str:
    if value.startswith("["):
        return f"[{' '.join(_as_shown(part) for part in re.split('[, ]+', value.strip('[] ')))}]"
    try:
        return shown(float(value))
    except ValueError:
        return value


def shown(value: Any) -> str:
    """A param as labels show it: 1 and 1.0 are the same number."""
    if _is_number(value):
        return f"{value:g}"
    if isinstance(value, list | tuple):
        return "[" + " ".join(shown(part) for part in value) + "]"
    return str(value).lower() if isinstance(value, bool) else str(value)


def _once(differences: list[Difference]) -> list[Difference]:
    """The differences, or a single one in their place where they differ in their label alone."""
    unlabelled = [replace(difference, label="any params") for difference in differences]
    same = len(differences) > 1 and all(other == unlabelled[0] for other in unlabelled)
    return unlabelled[:1] if same else differences


def _by_seed(group: Group, row: str) -> dict[int, QueryResults]:
    return {seed: run.queries[row] for seed, run in group.runs.items()}


def _difference(
    heading: str,
    label: str,
    row: str,
    ours: Mapping[int, QueryResults],
    theirs: Mapping[int, QueryResults],
) -> Difference:
    seeds = tuple(sorted(ours.keys() & theirs.keys()))
    if not seeds:
        raise ValueError(f"{heading}, {label}: no seed in common; run both with the same seeds")
    first = ours[seeds[0]]
    for seed in seeds:
        for side in (ours[seed], theirs[seed]):
            name = f"{heading}, {label}: seed {seed}"
            require_same_queries(side, first, name, f"seed {seeds[0]}")
    means, over_seeds = {}, {}
    for metric in METRICS:
        difference_SQ = np.stack(
            [ours[seed].values(metric) - theirs[seed].values(metric) for seed in seeds]
        )
        means[metric] = difference_SQ.mean(axis=0)
        over_seeds[metric] = interval_over_seeds(difference_SQ.mean(axis=1).tolist())
    intervals = paired_bootstraps(means, first.pids)
    return Difference(heading, label, row, seeds, intervals, over_seeds)


def _spread(values: list[float]) -> Spread:
    deviation = statistics.stdev(values) if len(values) > 1 else None
    return Spread(len(values), statistics.fmean(values), deviation)


def _shown_values(values: dict[str, Any]) -> tuple[str, ...]:
    return tuple(shown(value) for value in values.values())


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _order(value: Any) -> tuple[bool, float, str]:
    """Numbers by size, before all else by name."""
    return (False, float(value), "") if _is_number(value) else (True, 0.0, shown(value))
