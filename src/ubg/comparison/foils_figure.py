"""Systems on the foils: a line per kind of fact, a dot per row of the ladder, and a table."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ubg.comparison.ladder import both_scores, rung
from ubg.figures.forest import difference_cell, why_missing
from ubg.figures.style import FAINT, figure
from ubg.foils.cases import BINDING, TESTS
from ubg.foils.measuring.judge import CHANCE
from ubg.foils.measuring.results import FoilResults
from ubg.retrieval.bootstrap import Interval, paired_bootstraps

ATTRIBUTE, PARAPHRASE = "one attribute", "paraphrase"
GENERATIVE = "_generative"  # ends the measures that are by both scores
RESAMPLES = 2_000


@dataclass(frozen=True)
class Series:
    """What a system got right, by embeddings alone or by both scores.

    Attributes:
        row: its row in the ladder.
        leading: bool [C], the group; or the one comparison where captions alone are changed.
        paraphrase: bool [C]; None where captions alone are changed.
    """

    row: str
    leading: NDArray[np.bool_]
    paraphrase: NDArray[np.bool_] | None


def write_foils(folder: Path, results: Mapping[str, FoilResults], dataset: str) -> None:
    """Write `foils.md` and, where there is a case, `foils.png`.

    Args:
        folder: of the comparison.
        results: by system, in the order of the ladder.
        dataset: its label.

    Raises:
        ValueError: two systems were measured on other cases.
    """
    require_same_cases(results)
    any_results = next(iter(results.values()))
    if not any_results.right:
        (folder / "foils.md").write_text(f"# Foils of {dataset}\n\nThere are none.\n")
        return
    measure = "caption" if "caption" in any_results.right else "group"
    series = series_of(results, measure)
    intervals = intervals_by_kind(any_results, series)
    steps = steps_by_kind(any_results, series)
    lines = [
        f"# Foils of {dataset}",
        "",
        f"- {TESTS[measure == 'group']}",
        f"- percent of {measure}, chance {CHANCE[measure]:.1f}; a tie is wrong; in brackets the "
        "95 % interval over persons",
        "",
        _line(["kind", "cases", *(one.row for one in series)]),
        _line(["---", *["---:"] * (1 + len(series))]),
    ]
    for kind, by_row in intervals.items():
        count = f"{int(cases_of(kind, any_results.kinds).sum()):,}"
        lines.append(_line([kind.replace("_", " "), count, *map(_cell, by_row.values())]))
    if steps:
        lines += ["", "Steps, in points, bold where the interval excludes zero:", ""]
        shown = [kind for kind in (ATTRIBUTE, BINDING, PARAPHRASE) if kind in intervals]
        lines += [_line(["step", *shown]), _line(["---", *["---:"] * len(shown)])]
        for step, by_kind in steps.items():
            lines.append(_line([step, *(difference_cell(by_kind[kind]) for kind in shown)]))
    lines += [line for note in _why_missing(intervals, steps) for line in ("", note)]
    (folder / "foils.md").write_text("\n".join(lines) + "\n", encoding="utf-8")
    if intervals:
        draw_foils(folder / "foils.png", intervals, series, measure, dataset)


def require_same_cases(results: Mapping[str, FoilResults]) -> None:
    """Check that all systems were measured on the same cases in the same order.

    Raises:
        ValueError: they were not; two systems are named.
    """
    first_name, first = next(iter(results.items()))
    for name, other in results.items():
        same = np.array_equal(first.kinds, other.kinds) and np.array_equal(
            first.persons, other.persons
        )
        if not same:
            raise ValueError(
                f"{first_name} and {name} were measured on other foils; evaluate both again"
            )


def series_of(results: Mapping[str, FoilResults], measure: str) -> list[Series]:
    """Each system by embeddings alone and, where it has a second score, by both."""
    return [
        Series(
            row,
            one.right[f"{measure}{suffix}"],
            one.right.get(f"paraphrase{suffix}"),
        )
        for system, one in results.items()
        for row, suffix in ((system, ""), (both_scores(system), GENERATIVE))
        if f"{measure}{suffix}" in one.right
    ]


def intervals_by_kind(cases: FoilResults, series: list[Series]) -> dict[str, dict[str, Interval]]:
    """Percent with 95 % intervals over persons, by kind and row; `PARAPHRASE` over all cases."""
    return {
        kind: paired_bootstraps(
            {one.row: _percent(one, kind)[chosen] for one in series},
            cases.persons[chosen],
            RESAMPLES,
        )
        for kind, chosen in _chosen(cases, series)
    }


def steps_by_kind(cases: FoilResults, series: list[Series]) -> dict[str, dict[str, Interval]]:
    """Differences to the step before, by step and kind."""
    by_row = {one.row: one for one in series}
    pairs = [
        (one, by_row[before])
        for one in series
        if (before := rung(one.row).step_before) is not None and before in by_row
    ]
    steps: dict[str, dict[str, Interval]] = {f"{one.row} – {b.row}": {} for one, b in pairs}
    for kind, chosen in _chosen(cases, series):
        differences = {
            f"{one.row} – {b.row}": (_percent(one, kind) - _percent(b, kind))[chosen]
            for one, b in pairs
        }
        found = paired_bootstraps(differences, cases.persons[chosen], RESAMPLES) if pairs else {}
        for step, interval in found.items():
            steps[step][kind] = interval
    return steps


def cases_of(kind: str, kinds: NDArray[np.str_]) -> NDArray[np.bool_]:
    """The cases that a line is over, bool [C]."""
    if kind == PARAPHRASE:
        return np.ones(len(kinds), np.bool_)
    return kinds != BINDING if kind == ATTRIBUTE else kinds == kind


def draw_foils(
    path: Path,
    intervals: Mapping[str, Mapping[str, Interval]],
    series: list[Series],
    measure: str,
    dataset: str,
) -> None:
    """Draw a line per kind and on it each row of the ladder, with its interval."""
    kinds = [kind for kind in intervals if kind != PARAPHRASE]
    height = 0.75 / len(series)
    with figure(path, 10, 1.8 + len(kinds) * (0.16 + 0.11 * len(series))) as drawing:
        axes = drawing.add_subplot()
        axes.axvline(CHANCE[measure], color=FAINT, linestyle=":", label="chance")
        for place, one in enumerate(series):
            found = [intervals[kind][one.row] for kind in kinds]
            axes.errorbar(
                [interval.mean for interval in found],
                np.arange(len(kinds)) + (place - (len(series) - 1) / 2) * height,
                xerr=np.array([_reach(interval) for interval in found]).T,
                fmt="o",
                color=rung(one.row).colour,
                markersize=5,
                linewidth=1.4,
                label=one.row,
            )
        axes.set_yticks(range(len(kinds)), [kind.replace("_", " ") for kind in kinds])
        axes.tick_params(axis="y", length=0)
        axes.set_ylim(len(kinds) - 0.45, -0.55)
        axes.set_xlim(0, 100)
        axes.set_xlabel(f"{measure}, %")
        axes.set_title(f"Foils: one fact differs, {dataset}")
        missing = "\n".join(_why_missing(intervals)) or None
        drawing.legend(loc="outside lower left", ncols=4, title=missing, alignment="left")


def _chosen(cases: FoilResults, series: list[Series]) -> list[tuple[str, NDArray[np.bool_]]]:
    """The lines of the table that have a case, with their cases."""
    single = sorted(set(cases.kinds.tolist()) - {BINDING})
    paraphrase = [PARAPHRASE] if all(one.paraphrase is not None for one in series) else []
    lines = [ATTRIBUTE, BINDING, *paraphrase, *single]
    chosen = [(kind, cases_of(kind, cases.kinds)) for kind in lines]
    return [(kind, rows) for kind, rows in chosen if rows.any()]


def _percent(one: Series, kind: str) -> NDArray[np.float64]:
    right = one.paraphrase if kind == PARAPHRASE else one.leading
    assert right is not None
    return 100 * right.astype(np.float64)


def _why_missing(*tables: Mapping[str, Mapping[str, Interval]]) -> list[str]:
    missing = why_missing(
        interval for table in tables for line in table.values() for interval in line.values()
    )
    return [note.replace("identities", "persons") for note in missing]


def _reach(interval: Interval) -> tuple[float, float]:
    """How far the interval reaches to either side."""
    low, high = interval.ends or (interval.mean, interval.mean)
    return interval.mean - low, high - interval.mean


def _cell(interval: Interval) -> str:
    if interval.ends is None:
        return f"{interval.mean:.1f} [–]"
    return f"{interval.mean:.1f} [{interval.ends[0]:.1f}, {interval.ends[1]:.1f}]"


def _line(cells: list[str]) -> str:
    return "| " + " | ".join(cells) + " |"
