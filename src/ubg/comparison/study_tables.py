"""A study as Markdown, as CSV and as figures."""

import csv
from pathlib import Path
from typing import Any

from ubg.comparison.ladder import rung
from ubg.comparison.study import (
    Difference,
    Group,
    Spread,
    all_rows,
    generation_spread,
    retrieval_spread,
    scores,
)
from ubg.comparison.system_metrics import COLUMNS
from ubg.evaluation.queries import METRICS
from ubg.figures.forest import Comparison, difference_cell, why_missing
from ubg.figures.style import INK, figure
from ubg.retrieval.bootstrap import Interval

NOTE = (
    "Over queries: paired bootstrap of the test identities, for the runs at hand.\n"
    "Over seeds: Student's t of the runs' differences, matched by seed, for these queries."
)


def write_study_markdown(
    path: str | Path,
    dataset: str,
    groups: list[Group],
    differences: list[Difference],
) -> None:
    """Write a line per group and row of the ladder, then a line per difference.

    Args:
        path: the file to write.
        dataset: the data set's label.
        groups: see `group_experiments`.
        differences: of rows or of groups.
    """
    names = [COLUMNS[metric] for metric in METRICS]
    lines = [
        f"# Study on {dataset}",
        "",
        "Test, text to image, percent: mean ± standard deviation over the seeds.",
        "",
        *_table_head(["params", "system", "seeds", *names]),
    ]
    for group in groups:
        for row in group.rows:
            cells = [_spread_cell(s) for s in retrieval_spread(group, row).values()]
            lines.append(_line([group.label, row, _seeds(group.runs), *cells]))
    lines += _generation_lines(groups)
    if differences:
        lines += [
            "",
            "## Differences, in points, with 95 % intervals over the queries and over the seeds",
            "",
            *_table_head(["difference", "params", "seeds", *names]),
        ]
        for difference in differences:
            cells = [
                difference_cell(interval, difference.over_seeds[metric])
                for metric, interval in difference.intervals.items()
            ]
            seeds = _seeds(difference.seeds)
            lines.append(_line([difference.heading, difference.label, seeds, *cells]))
        lines += ["", f"Bold: the intervals exclude zero. {NOTE}".replace("\n", " ")]
        missing = why_missing(
            interval
            for found in differences
            for interval in (*found.intervals.values(), *found.over_seeds.values())
        )
        lines += [line for note in missing for line in ("", note)]
    Path(path).write_text("\n".join(lines) + "\n", encoding="utf-8")


def write_study_csv(path: str | Path, dataset: str, groups: list[Group]) -> None:
    """Write a line per group, row of the ladder and metric, those of the generation too."""
    names = ["dataset", "params", "system", "seeds", "metric", "mean", "sd"]
    lines = []
    for group in groups:
        for row in group.rows:
            spreads = retrieval_spread(group, row)
            if row in group.systems:
                generation = generation_spread(group, row)
                spreads |= {f"generation.{name}": spread for name, spread in generation.items()}
            for metric, spread in spreads.items():
                numbers = [f"{spread.mean:.4f}", _number(spread.deviation)]
                lines.append([dataset, group.label, row, _seeds(group.runs), metric, *numbers])
    _write_csv(path, names, lines)


def write_differences_csv(path: str | Path, dataset: str, differences: list[Difference]) -> None:
    """Write a row per difference and metric."""
    bounds = ["low", "high", "seeds_low", "seeds_high"]
    names = ["dataset", "difference", "params", "seeds", "metric", "mean", *bounds]
    rows = []
    for difference in differences:
        where = [dataset, difference.heading, difference.label, _seeds(difference.seeds)]
        for metric, interval in difference.intervals.items():
            over = difference.over_seeds[metric]
            ends = [*_ends(interval), *(_ends(over) if over else ("", ""))]
            rows.append([*where, metric, f"{interval.mean:z.4f}", *ends])
    _write_csv(path, names, rows)


def study_comparisons(differences: list[Difference], metric: str) -> list[Comparison]:
    """What `draw_forest` shows of one metric."""
    return [
        Comparison(
            group=difference.heading,
            label=f"{difference.label} ({len(difference.seeds)} runs)",
            colour=rung(difference.row).colour,
            interval=difference.intervals[metric],
            over_seeds=difference.over_seeds[metric],
        )
        for difference in differences
    ]


def draw_runs(path: str | Path, dataset: str, groups: list[Group], metric: str) -> None:
    """Draw a dot per run, and the mean of each group and row with its standard deviation."""
    lines = sum(len(group.rows) for group in groups)
    with figure(path, 10, 1.9 + 0.34 * lines + 0.2 * len(groups)) as drawing:
        axes = drawing.add_subplot()
        ticks, top = [], 0.0
        for group in groups:
            ticks.append(top + (len(group.rows) - 1) / 2)
            for height, row in enumerate(group.rows):
                spread = retrieval_spread(group, row)[metric]
                runs = scores(group, row, metric)
                at = top + height
                colour = rung(row).colour
                axes.plot(runs, [at] * len(runs), "o", color=colour, alpha=0.45, markersize=7)
                axes.errorbar(
                    spread.mean,
                    at,
                    xerr=spread.deviation,
                    fmt="|",
                    color=INK,
                    markersize=13,
                    markeredgewidth=2,
                    elinewidth=1.4,
                )
            top += len(group.rows) + 0.6
        axes.set_yticks(ticks, [group.label.replace(", ", ",\n") for group in groups])
        axes.tick_params(axis="y", length=0, pad=8)
        axes.grid(axis="y", visible=False)
        axes.spines["left"].set_visible(False)
        axes.invert_yaxis()
        axes.margins(x=0.08, y=0.08)
        axes.set_xlabel(f"{COLUMNS[metric]}, percent: runs, mean and standard deviation")
        title = f"Runs by seed on {dataset}, test, text to image"
        drawing.suptitle(title, x=0.01, ha="left", fontsize=13, fontweight="bold")
        for row in all_rows(groups):
            axes.plot([], [], "o", color=rung(row).colour, label=row)
        drawing.legend(loc="outside lower left", ncols=len(all_rows(groups)))


def _generation_lines(groups: list[Group]) -> list[str]:
    lines: list[str] = []
    for system in groups[0].systems:
        spreads = [generation_spread(group, system) for group in groups]
        names = list(dict.fromkeys(name for found in spreads for name in found))
        if names:
            lines += ["", f"## Generation of {system}, validation", ""]
            lines += _table_head(["params", "seeds", *names])
            for group, found in zip(groups, spreads, strict=True):
                cells = [_spread_cell(found[name], 3) if name in found else "–" for name in names]
                lines.append(_line([group.label, _seeds(group.runs), *cells]))
    return lines


def _table_head(names: list[str]) -> list[str]:
    return [_line(names), _line(["---"] * len(names))]


def _line(cells: list[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _spread_cell(spread: Spread, digits: int = 2) -> str:
    mean = f"{spread.mean:z.{digits}f}"
    return mean if spread.deviation is None else f"{mean} ± {spread.deviation:.{digits}f}"


def _seeds(seeds: Any) -> str:
    return " ".join(str(seed) for seed in seeds)


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"


def _ends(interval: Interval) -> list[str]:
    return ["", ""] if interval.ends is None else [f"{end:z.4f}" for end in interval.ends]


def _write_csv(path: str | Path, names: list[str], rows: list[list[str]]) -> None:
    with Path(path).open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(names)
        table.writerows(rows)
