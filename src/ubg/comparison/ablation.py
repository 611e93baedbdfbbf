"""The ablation: systems in rows, the difference to the step before, as table and bar chart."""

import csv
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from ubg.comparison.ladder import rung
from ubg.comparison.system_metrics import COLUMNS, SystemMetrics, scores_by_row
from ubg.evaluation.queries import METRICS, QueryResults, require_same_queries
from ubg.figures.forest import Comparison, difference_cell, why_missing
from ubg.figures.style import figure
from ubg.retrieval.bootstrap import Interval, paired_bootstraps

CHARTED = ("r1", "r5", "r10", "map")
LEGEND_COLUMNS = 5  # more are wider than the chart
INTERVAL_NOTE = (
    "Paired bootstrap over the identities of the test queries; one run per system, "
    "so the noise of the seed comes on top."
)


@dataclass(frozen=True)
class Setting:
    """What all rows of a table have in common.

    Attributes:
        dataset: its label.
        synthetic: whether a program drew it.
        scale: name of the preset in use.
        seed: of the training runs.
        noise: share of the training captions that were exchanged.
    """

    dataset: str
    synthetic: bool
    scale: str
    seed: int
    noise: float


@dataclass(frozen=True)
class AblationRow:
    """One row of the ladder on the test split, percent, by the keys of `COLUMNS`.

    `differences` are to the row `step_before`, `intervals` those of the text-to-image ones over the
    test queries; all three are None where that row is not in the table.
    """

    name: str
    values: dict[str, float]
    step_before: str | None
    differences: dict[str, float] | None
    intervals: dict[str, Interval] | None


def ablation_rows(
    metrics: Mapping[str, SystemMetrics], queries: Mapping[str, QueryResults]
) -> list[AblationRow]:
    """The rows of the systems, in the order of `metrics`.

    Args:
        metrics: by system.
        queries: of the files of `queries_files`.

    Raises:
        ValueError: two rows were evaluated on other queries, or a row has no place in the ladder.
    """
    scores = scores_by_row({system: found.test for system, found in metrics.items()})
    first, *others = scores
    for name in others:
        require_same_queries(queries[name], queries[first], name, first)
    rows = []
    for name, ours in scores.items():
        before = rung(name).step_before
        if before in scores:
            differences = {key: ours[key] - scores[before][key] for key in COLUMNS}
            intervals = _intervals(name, before, queries)
            rows.append(AblationRow(name, ours, before, differences, intervals))
        else:
            rows.append(AblationRow(name, ours, None, None, None))
    return rows


def comparisons(rows: list[AblationRow]) -> list[Comparison]:
    """What `draw_forest` shows: each step's difference to the step before it in each metric."""
    return [
        Comparison(
            group=f"{row.name} – {row.step_before}",
            label=COLUMNS[metric],
            colour=rung(row.name).colour,
            interval=interval,
        )
        for row in rows
        if row.intervals is not None
        for metric, interval in row.intervals.items()
    ]


def write_markdown(path: str | Path, rows: list[AblationRow], setting: Setting) -> None:
    """Write the table with the differences in brackets, below a header that says what was measured.

    Args:
        path: the file to write.
        rows: see `ablation_rows`.
        setting: for the header.
    """
    lines = [
        f"# Ablation on {setting.dataset}",
        "",
        f"- synthetic: {'yes, drawn by a program' if setting.synthetic else 'no'}",
        f"- scale: {setting.scale}",
        f"- seed: {setting.seed}, one run per system",
        f"- training captions at other people's images: {noise_label(setting.noise)}",
        "- split: test, weights selected on validation; text-to-image unless said, percent",
        "- in brackets: difference to the row in the last column, in points",
        "",
        markdown_line(["system", *COLUMNS.values(), "compared with"]),
        markdown_line(["---", *["---:"] * len(COLUMNS), "---"]),
    ]
    for row in rows:
        cells = [_cell(row, key) for key in COLUMNS]
        lines.append(markdown_line([row.name, *cells, row.step_before or "–"]))
    if any(row.intervals for row in rows):
        lines += _interval_lines(rows)
    Path(path).write_text("\n".join(lines) + "\n", encoding="utf-8")


def write_csv(path: str | Path, rows: list[AblationRow], setting: Setting) -> None:
    """Write the same table for programs: a column per value and one per difference.

    `_low` and `_high` are the ends of a difference's 95 % interval. What `write_markdown` has in
    its header is here in every row. An absent difference is empty.
    """
    context = asdict(setting)
    differences = [f"{key}_difference" for key in COLUMNS]
    bounds = [f"{key}_{bound}" for key in METRICS for bound in ("low", "high")]
    names = ["system", *COLUMNS, "compared_with", *differences, *bounds, *context]
    with Path(path).open("w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, names, lineterminator="\n")
        table.writeheader()
        for row in rows:
            line = {"system": row.name, "compared_with": row.step_before, **context}
            line |= {key: f"{value:.4f}" for key, value in row.values.items()}
            for key, value in (row.differences or {}).items():
                line[f"{key}_difference"] = f"{value:z.4f}"
            for key, interval in (row.intervals or {}).items():
                if interval.ends is not None:
                    line[f"{key}_low"], line[f"{key}_high"] = (f"{e:z.4f}" for e in interval.ends)
            table.writerow(line)


def draw_ablation(path: str | Path, rows: list[AblationRow], dataset: str) -> None:
    """Draw a group of bars for R@1, R@5, R@10 and mAP, a bar per row."""
    width = 0.84 / len(rows)
    with figure(path, 10, 5.4) as drawing:
        axes = drawing.add_subplot()
        for place, row in enumerate(rows):
            offset = (place - (len(rows) - 1) / 2) * width
            bars = axes.bar(
                [group + offset for group in range(len(CHARTED))],
                [row.values[key] for key in CHARTED],
                width * 0.94,
                color=rung(row.name).colour,
                label=row.name,
            )
            axes.bar_label(bars, fmt="%.1f", padding=2, fontsize=11 if len(rows) <= 4 else 8.5)
        axes.set_xticks(range(len(CHARTED)), [COLUMNS[key] for key in CHARTED])
        axes.set_xlim(-0.55, len(CHARTED) - 0.45)
        axes.tick_params(axis="x", length=0)
        axes.set_ylim(0, 105)
        axes.set_yticks(range(0, 101, 20))
        axes.grid(axis="x", visible=False)
        axes.set_ylabel("percent")
        axes.set_title(f"Text to image on {dataset}, test")
        drawing.legend(loc="outside lower left", ncols=min(len(rows), LEGEND_COLUMNS))


def _intervals(name: str, before: str, queries: Mapping[str, QueryResults]) -> dict[str, Interval]:
    ours, theirs = queries[name], queries[before]
    differences = {metric: ours.values(metric) - theirs.values(metric) for metric in METRICS}
    return paired_bootstraps(differences, ours.pids)


def _interval_lines(rows: list[AblationRow]) -> list[str]:
    lines = [
        "",
        "## Differences, text to image, with 95 % intervals over the queries",
        "",
        markdown_line(["step", *(COLUMNS[metric] for metric in METRICS)]),
        markdown_line(["---", *["---:"] * len(METRICS)]),
    ]
    for row in rows:
        if row.intervals is not None:
            cells = [difference_cell(interval) for interval in row.intervals.values()]
            lines.append(markdown_line([f"{row.name} – {row.step_before}", *cells]))
    lines += ["", f"Bold: the interval excludes zero. {INTERVAL_NOTE}"]
    missing = why_missing(found for row in rows for found in (row.intervals or {}).values())
    return [*lines, *(line for note in missing for line in ("", note))]


def _cell(row: AblationRow, key: str) -> str:
    value = f"{row.values[key]:.2f}"
    return value if row.differences is None else f"{value} ({row.differences[key]:+z.2f})"


def noise_label(rate: float) -> str:
    """The share `noise.rate`, as tables show it."""
    return f"{100 * rate:g} % (noise.rate)" if rate else "none"


def markdown_line(cells: list[str]) -> str:
    return "| " + " | ".join(cells) + " |"
