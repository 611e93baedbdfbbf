"""The ablation: a row per system, the difference to the step before, as table and bar chart."""

import csv
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ubg.report.style import COLOURS, figure

STEP_BEFORE = {
    "phase1": "irra",
    "phase2": "phase1",
    "phase3": "phase2",
    "phase4": "phase3",
    "clip_mer": "irra",
    "t2i_reid": "irra",
}
COLUMNS = {
    "r1": "R@1",
    "r5": "R@5",
    "r10": "R@10",
    "map": "mAP",
    "minp": "mINP",
    "i2t_r1": "image-to-text R@1",
}
CHARTED = ("r1", "r5", "r10", "map")

Percent = Annotated[float, Field(ge=0, le=100)]


class _Part(BaseModel):
    model_config = ConfigDict(strict=True, allow_inf_nan=False)


class Direction(_Part):
    """Retrieval metrics in percent."""

    r1: Percent
    r5: Percent
    r10: Percent
    map: Percent
    minp: Percent


class Directions(_Part):
    """Text-to-image and image-to-text."""

    t2i: Direction
    i2t: Direction


class LastWeights(_Part):
    """Results of the last weights instead of the selected ones."""

    test: Directions


class SystemMetrics(_Part):
    """What `metrics/<system>.json` must hold; more is allowed."""

    test: Directions
    val: Directions
    last: LastWeights


@dataclass(frozen=True)
class AblationRow:
    """One system on the test split, percent, by the keys of `COLUMNS`.

    `differences` are to the system `step_before`; both are None where that one is not in the table.
    """

    system: str
    values: dict[str, float]
    step_before: str | None
    differences: dict[str, float] | None


def read_metrics(folder: str | Path, systems: Iterable[str]) -> dict[str, SystemMetrics]:
    """Read `<folder>/<system>.json` of each of `systems`, in the order of the ablation.

    Raises:
        ValueError: a file is missing, is not JSON or does not hold what it should; one line
            naming file, key and what to do.
    """
    systems = set(systems)
    return {name: _read_system(Path(folder), name) for name in COLOURS if name in systems}


def ablation_rows(metrics: Mapping[str, SystemMetrics]) -> list[AblationRow]:
    """A row per system, in the order of `metrics`."""
    values = {
        system: found.test.t2i.model_dump() | {"i2t_r1": found.test.i2t.r1}
        for system, found in metrics.items()
    }
    rows = []
    for system, ours in values.items():
        before = STEP_BEFORE.get(system)
        if before in values:
            differences = {key: ours[key] - values[before][key] for key in COLUMNS}
            rows.append(AblationRow(system, ours, before, differences))
        else:
            rows.append(AblationRow(system, ours, None, None))
    return rows


def write_markdown(
    path: str | Path, rows: list[AblationRow], dataset: str, synthetic: bool, scale: str, seed: int
) -> None:
    """Write the table with the differences in brackets, below a header that says what was measured.

    Args:
        path: the file to write.
        rows: see `ablation_rows`.
        dataset: the data set's label.
        synthetic: whether a program drew it.
        scale: name of the preset in use.
        seed: of the training runs.
    """
    lines = [
        f"# Ablation on {dataset}",
        "",
        f"- synthetic: {'yes, drawn by a program' if synthetic else 'no'}",
        f"- scale: {scale}",
        f"- seed: {seed}, one run per system",
        "- split: test, weights selected on validation; text-to-image unless said, percent",
        "- in brackets: difference to the system in the last column, in points",
        "",
        _markdown_line(["system", *COLUMNS.values(), "compared with"]),
        _markdown_line(["---", *["---:"] * len(COLUMNS), "---"]),
    ]
    for row in rows:
        cells = [_cell(row, key) for key in COLUMNS]
        lines.append(_markdown_line([row.system, *cells, row.step_before or "–"]))
    Path(path).write_text("\n".join(lines) + "\n", encoding="utf-8")


def write_csv(
    path: str | Path, rows: list[AblationRow], dataset: str, synthetic: bool, scale: str, seed: int
) -> None:
    """Write the same table for programs: a column per value and one per difference.

    What `write_markdown` has in its header is here in every row. An absent difference is empty.
    """
    context = {"dataset": dataset, "synthetic": synthetic, "scale": scale, "seed": seed}
    differences = [f"{key}_difference" for key in COLUMNS]
    names = ["system", *COLUMNS, "compared_with", *differences, *context]
    with Path(path).open("w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, names, lineterminator="\n")
        table.writeheader()
        for row in rows:
            line = {"system": row.system, "compared_with": row.step_before, **context}
            line |= {key: f"{value:.4f}" for key, value in row.values.items()}
            for key, value in (row.differences or {}).items():
                line[f"{key}_difference"] = f"{value:z.4f}"
            table.writerow(line)


def draw_ablation(path: str | Path, rows: list[AblationRow], dataset: str) -> None:
    """Draw a group of bars for R@1, R@5, R@10 and mAP, a bar per system."""
    width = 0.84 / len(rows)
    with figure(path, 10, 5.4) as drawing:
        axes = drawing.add_subplot()
        for place, row in enumerate(rows):
            offset = (place - (len(rows) - 1) / 2) * width
            bars = axes.bar(
                [group + offset for group in range(len(CHARTED))],
                [row.values[key] for key in CHARTED],
                width * 0.94,
                color=COLOURS[row.system],
                label=row.system,
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


def _read_system(folder: Path, system: str) -> SystemMetrics:
    path = folder / f"{system}.json"
    again = f"run `dvc repro evaluate_{system}`"
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ValueError(f"{path}: missing; {again}") from None
    except (OSError, ValueError) as error:
        raise ValueError(f"{path}: cannot be read: {error}; {again}") from None
    try:
        return SystemMetrics.model_validate(content)
    except ValidationError as error:
        fault = error.errors(include_url=False)[0]
        key = ".".join(str(part) for part in fault["loc"]) or "(top level)"
        raise ValueError(f"{path}: {key}: {fault['msg']}; {again}") from None


def _cell(row: AblationRow, key: str) -> str:
    value = f"{row.values[key]:.2f}"
    return value if row.differences is None else f"{value} ({row.differences[key]:+z.2f})"


def _markdown_line(cells: list[str]) -> str:
    return "| " + " | ".join(cells) + " |"
