"""Tables of what was read off and found by the embeddings of several models."""

import csv
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ubg.disentanglement.attributes import GROUPS
from ubg.disentanglement.balanced_accuracy import chance, interval
from ubg.disentanglement.cka import Alignment
from ubg.disentanglement.compare import Difference, crossing_intervals
from ubg.disentanglement.measure import Measured
from ubg.disentanglement.people import People
from ubg.disentanglement.probes import PROBES
from ubg.retrieval.bootstrap import Interval

MEASURES = {  # and what they are called in a table
    "linear body": "body, linear",
    "linear clothing": "clothing, linear",
    "mlp body": "body, MLP",
    "mlp clothing": "clothing, MLP",
    "person r1": "person R@1",
    "person map": "person mAP",
    "outfit r1": "outfit R@1",
    "outfit map": "outfit mAP",
}


@dataclass(frozen=True)
class Row:
    """One embedding of one model: its measures of `MEASURES`, as far as there are."""

    model: str
    embedding: str
    values: dict[str, Interval]


def rows_of(measured: Mapping[str, Measured], people: People) -> list[Row]:
    """A row for each embedding of each model.

    Args:
        measured: by model.
        people: the test images.
    """
    rows = []
    for model, found in measured.items():
        for embedding in found.probed:
            values = {
                f"{probe} {group}": interval(judged)
                for probe in PROBES
                for group in GROUPS
                if (judged := found.of_group(embedding, probe, group))
            }
            values |= crossing_intervals(found, embedding, people)
            rows.append(Row(model, embedding, values))
    return rows


def chances(measured: Measured) -> dict[str, float]:
    """What is reached without looking, by measure, percent: the same answer, a random order.

    The same for every model; there is none of mAP.
    """
    embedding = next(iter(measured.probed))
    found = {
        f"{probe} {group}": chance(judged)
        for probe in PROBES
        for group in GROUPS
        if (judged := measured.of_group(embedding, probe, group))
    }
    for sought, crossing in measured.crossed[embedding].items():
        found[f"{sought} r1"] = 100 * float(crossing.chance_Q.mean())
    return found


def metrics_of(
    rows: Iterable[Row], alignments: Mapping[str, Alignment], chance_of: Mapping[str, float]
) -> dict[str, Any]:
    """What goes into the JSON: by model and embedding, and "chance" beside the models."""
    metrics: dict[str, Any] = {}
    for row in rows:
        values = {key.replace(" ", "_"): round(one.mean, 3) for key, one in row.values.items()}
        metrics.setdefault(row.model, {})[row.embedding] = values
    for model, found in alignments.items():
        metrics[model]["cka"] = {name: round(value, 4) for name, value in vars(found).items()}
    return metrics | {
        "chance": {key.replace(" ", "_"): round(value, 3) for key, value in chance_of.items()}
    }


def write_rows(path: Path, rows: Iterable[Row], chance_of: Mapping[str, float]) -> None:
    """A line for each measure of each embedding, percent."""
    header = ["model", "embedding", "measure", "value", "low", "high", "chance"]
    lines = (
        [row.model, row.embedding, measure, *_numbers(found), _number(chance_of.get(measure))]
        for row in rows
        for measure, found in row.values.items()
    )
    _write(path, header, lines)


def write_attributes(path: Path, measured: Mapping[str, Measured]) -> None:
    """A line for each probe: one embedding, one attribute."""
    header = ["model", "embedding", "probe", "group", "attribute", "classes"]
    header += ["val_images", "test_images", "balanced_accuracy", "low", "high", "chance"]
    lines = []
    for model, found in measured.items():
        for embedding, probed in found.probed.items():
            for probe, by_attribute in probed.items():
                for attribute, judged in by_attribute.items():
                    (group,) = (name for name, names in GROUPS.items() if attribute in names)
                    lines.append(
                        [
                            *(model, embedding, probe, group, attribute),
                            1 + int(judged.class_M.max()),
                            *(judged.fitted, len(judged.class_M)),
                            *_numbers(interval([judged])),
                            _number(chance([judged])),
                        ]
                    )
    _write(path, header, lines)


def write_differences(path: Path, differences: Iterable[Difference], first: str) -> None:
    """A line for each measure of an embedding of `first` less that of another model."""
    header = ["model", "embedding", "less", "measure", "difference", "low", "high"]
    lines = (
        [first, one.embedding, one.other, one.measure, *_numbers(one.interval)]
        for one in differences
    )
    _write(path, header, lines)


def _numbers(found: Interval) -> list[str]:
    return [_number(value) for value in (found.mean, found.low, found.high)]


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


def _write(path: Path, header: list[str], lines: Iterable[list[Any]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(header)
        table.writerows(lines)
