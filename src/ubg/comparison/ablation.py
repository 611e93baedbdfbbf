"""The ablation: systems in rows, the difference to the step before, as table and bar chart."""

import csv
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ubg.comparison.ladder import both_scores, in_order, rung
from ubg.evaluation.queries import METRICS, QueryResults, read_queries, require_same_queries
from ubg.figures.forest import Comparison, difference_cell, why_missing
from ubg.figures.style import figure
from ubg.retrieval.bootstrap import Interval, paired_bootstraps
from ubg.runtime.opening import Kind, read_text

COLUMNS = {
    "r1": "R@1",
    "r5": "R@5",
    "r10": "R@10",
    "map": "mAP",
    "minp": "mINP",
    "i2t_r1": "image-to-text R@1",
}
CHARTED = ("r1", "r5", "r10", "map")
INTERVAL_NOTE = (
    "Paired bootstrap over the identities of the test queries; one run per system, "
    "so the noise of the seed comes on top."
)

ROUNDING = 1e-3  # percent; metrics are written to three digits

Percent = Annotated[float, Field(ge=0, le=100)]


class _Part(BaseModel):
    model_config = ConfigDict(strict=True, allow_inf_nan=False)


M = TypeVar("M", bound=_Part)


class Direction(_Part):
    """Retrieval metrics in percent."""

    r1: Percent
    r5: Percent
    r10: Percent
    map: Percent
    minp: Percent


class Directions(_Part):
    """Text-to-image and image-to-text; of a system with a second score also by both scores."""

    t2i: Direction
    i2t: Direction
    t2i_generative: Direction | None = None
    i2t_generative: Direction | None = None


class LastWeights(_Part):
    """Results of the last weights instead of the selected ones."""

    test: Directions


class OtherMetrics(_Part):
    """What `metrics/others/<system>_<data set>.json` must hold."""

    test: Directions


class SystemMetrics(_Part):
    """What `metrics/<system>.json` must hold; more is allowed."""

    test: Directions
    val: Directions
    last: LastWeights
    generation: dict[str, Any] = {}


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


def read_metrics(folder: str | Path, systems: Iterable[str]) -> dict[str, SystemMetrics]:
    """Read `<folder>/<system>.json` of each of `systems`, in the order of the ladder.

    Raises:
        ValueError: a file is missing, is not JSON or does not hold what it should; one line
            naming file, key and what to do. Or a system has no place in the ladder.
    """
    return {
        name: read_metrics_file(
            SystemMetrics, Path(folder) / f"{name}.json", f"run `dvc repro evaluate_{name}`"
        )
        for name in in_order(systems)
    }


def scores_by_row(tests: Mapping[str, Directions]) -> dict[str, dict[str, float]]:
    """What systems scored, a row each, or two where they have a second score.

    Args:
        tests: by system.

    Returns:
        Percent by row and by the keys of `COLUMNS`, in the order of `tests`.
    """
    scores = {}
    for system, test in tests.items():
        scores[system] = _columns(test.t2i, test.i2t)
        if test.t2i_generative is not None and test.i2t_generative is not None:
            scores[both_scores(system)] = _columns(test.t2i_generative, test.i2t_generative)
    return scores


def queries_files(metrics: Mapping[str, SystemMetrics]) -> dict[str, str]:
    """The paths of the results per query on test, by the rows of `scores_by_row`."""
    files = {}
    for system, found in metrics.items():
        folder = f"plots/{system}/evaluation"
        files[system] = f"{folder}/queries.csv"
        if found.test.t2i_generative is not None:
            files[both_scores(system)] = f"{folder}/queries_generative.csv"
    return files


def read_all_queries(
    metrics: Mapping[str, SystemMetrics], root: str | Path = "."
) -> dict[str, QueryResults]:
    """Read the files of `queries_files` below `root`, by row.

    Raises:
        ValueError: see `read_queries`; or a file is of another evaluation than the metrics.
    """
    results = {}
    for system, found in metrics.items():
        scores = scores_by_row({system: found.test})
        for row, name in queries_files({system: found}).items():
            file = Path(root) / name
            results[row] = read_queries(file)
            for metric in METRICS:
                mean, told = results[row].values(metric).mean(), scores[row][metric]
                if abs(mean - told) > ROUNDING:
                    raise ValueError(
                        f"{file} and metrics/{system}.json are of two evaluations: "
                        f"{COLUMNS[metric]} is {mean:.3f} in one and {told:.3f} in the other; "
                        f"run `dvc repro evaluate_{system}`"
                    )
    return results


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
        drawing.legend(loc="outside lower left", ncols=len(rows))


def read_metrics_file(kind: type[M], path: Path, again: str) -> M:
    """Read one file of metrics; `again` says in faults what makes it anew.

    Raises:
        ValueError: as `read_metrics`.
    """
    try:
        content = json.loads(read_text(path, Kind.CONFIG))
    except FileNotFoundError:
        raise ValueError(f"{path}: missing; {again}") from None
    except (OSError, ValueError, RecursionError) as error:
        raise ValueError(f"{path}: cannot be read: {error}; {again}") from None
    try:
        return kind.model_validate(content)
    except ValidationError as error:
        fault = error.errors(include_url=False)[0]
        key = ".".join(str(part) for part in fault["loc"]) or "(top level)"
        raise ValueError(f"{path}: {key}: {fault['msg']}; {again}") from None


def _columns(t2i: Direction, i2t: Direction) -> dict[str, float]:
    return t2i.model_dump() | {"i2t_r1": i2t.r1}


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
