"""The table of systems trained on one data set and tested on another."""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ubg.comparison.ablation import markdown_line, noise_label
from ubg.comparison.system_metrics import (
    COLUMNS,
    Directions,
    OtherMetrics,
    read_metrics,
    read_metrics_file,
    scores_by_row,
)
from ubg.evaluation.overlap import direction, overlap_warning
from ubg.params import Params
from ubg.runtime.files import replace_folder


@dataclass(frozen=True)
class TransferRow:
    """What a row of the ladder scored on the test split of one data set, by keys of `COLUMNS`."""

    tested_on: str
    name: str
    values: dict[str, float]


def compare_other(systems: Sequence[str], params: Params, other: Params) -> None:
    """Write `plots/others/<name>/transfer.md` and `.csv`: the own test split and the other one.

    Args:
        systems: evaluated on both.
        params: of the training.
        other: with the other data set in use, see `load_other`.

    Raises:
        ValueError: metrics are missing or malformed.
    """
    rows = transfer_rows(systems, params, other)
    with replace_folder(Path("plots/others") / other.dataset) as folder:
        write_markdown(folder / "transfer.md", rows, params, other)
        write_csv(folder / "transfer.csv", rows, params, other)
        print((folder / "transfer.md").read_text(encoding="utf-8"), end="")
    print(f"written to plots/others/{other.dataset}")


def transfer_rows(systems: Sequence[str], params: Params, other: Params) -> list[TransferRow]:
    """The rows of the systems on their own test split, then those on the other.

    Raises:
        ValueError: as `read_metrics`.
    """
    own = read_metrics("metrics", systems)
    rows = _rows(params.data.label, {system: found.test for system, found in own.items()})
    if other.dataset == params.dataset:
        rows = []  # the same figures twice
    elsewhere = {}
    for system in own:
        path = Path("metrics/others") / f"{system}_{other.dataset}.json"
        again = f"run `dvc repro evaluate_{system}_on@{other.dataset}`"
        elsewhere[system] = read_metrics_file(OtherMetrics, path, again).test
    return rows + _rows(other.data.label, elsewhere)


def write_markdown(
    path: str | Path, rows: Sequence[TransferRow], params: Params, other: Params
) -> None:
    """Write the table below a header that says what was measured, and what may spoil it."""
    warning = overlap_warning(params, other)
    lines = [
        f"# {direction(params, other)}",
        "",
        f"- trained on {params.data.label}, weights selected on its validation split",
        f"- scale: {params.scale}",
        f"- seed: {params.seed}, one run per system",
        f"- training captions at other people's images: {noise_label(params.noise.rate)}",
        "- test splits; text-to-image unless said, percent",
        *([f"- **warning: {warning}**"] if warning else []),
        "",
        markdown_line(["tested on", "system", *COLUMNS.values()]),
        markdown_line(["---", "---", *["---:"] * len(COLUMNS)]),
    ]
    for row in rows:
        cells = [f"{row.values[key]:.2f}" for key in COLUMNS]
        lines.append(markdown_line([row.tested_on, row.name, *cells]))
    Path(path).write_text("\n".join(lines) + "\n", encoding="utf-8")


def write_csv(path: str | Path, rows: Sequence[TransferRow], params: Params, other: Params) -> None:
    """Write the same table for programs; the rows of the other data set carry the warning."""
    context = {
        "trained_on": params.data.label,
        "scale": params.scale,
        "seed": params.seed,
        "noise": params.noise.rate,
    }
    warning = overlap_warning(params, other)
    names = ["trained_on", "tested_on", "system", *COLUMNS, "scale", "seed", "noise", "warning"]
    with Path(path).open("w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, names, lineterminator="\n")
        table.writeheader()
        for row in rows:
            line = {"tested_on": row.tested_on, "system": row.name, **context}
            line |= {key: f"{value:.4f}" for key, value in row.values.items()}
            line["warning"] = warning if row.tested_on == other.data.label else None
            table.writerow(line)


def _rows(tested_on: str, tests: Mapping[str, Directions]) -> list[TransferRow]:
    scores = scores_by_row(tests)
    return [TransferRow(tested_on, name, values) for name, values in scores.items()]
