"""The results as CSV: a row for each kind, for each part of a kind, for each query."""

import csv
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ubg.retrieval.bootstrap import Interval
from ubg.systems.clip_mer.evaluation.compare import Compared
from ubg.systems.clip_mer.evaluation.measure import Kinds
from ubg.systems.clip_mer.evaluation.parts import Queries

METRICS = ("r1", "r5", "r10", "map", "minp")


def write_kinds(path: Path, kinds: Kinds, compared: Mapping[str, Compared]) -> None:
    """A row for each kind: its queries, its metrics in percent, and the controls' mAP.

    `over_mean` is what fusion has more than the mean of the parts' own embeddings, in points, with
    the ends of its interval over identities. What a kind of one part has not, is empty.
    """
    controls = ["map_mean", "over_mean", "over_mean_low", "over_mean_high"]
    header = ["kind", "queries", *METRICS, *controls, "map_left_out", "map_exchanged"]
    rows = []
    for kind, metrics in kinds.metrics().items():
        row = [kind, len(kinds.rankings[kind].first_rank), *(metrics[name] for name in METRICS)]
        if kind in compared:
            of = compared[kind]
            row += [of.map_mean, *_cells(of.over_mean), of.map_left_out, of.map_exchanged]
        rows.append([*row, *[""] * (len(header) - len(row))])
    _write(path, header, rows)


def write_parts(path: Path, kinds: Kinds, compared: Mapping[str, Compared]) -> None:
    """A row for each part of each kind of several: mAP without it and with another person's.

    `gain` is what the part adds to the others on the same queries, in points, with the ends of its
    interval over identities: below zero, adding it hurts.
    """
    header = ["kind", "part", "map", "map_left_out", "map_exchanged", "gain", "gain_low"]
    metrics = kinds.metrics()
    rows = [
        [
            kind,
            name,
            metrics[kind]["map"],
            part.map_left_out,
            part.map_exchanged,
            *_cells(part.gain),
        ]
        for kind, of in compared.items()
        for name, part in of.parts.items()
    ]
    _write(path, [*header, "gain_high"], rows)


def write_queries(path: Path, queries: Queries, kinds: Kinds) -> None:
    """A row for each query, kind by kind: what comparing two models query by query needs."""
    rows: list[tuple[Any, ...]] = []
    for kind, rows_Q in queries.rows_by_kind().items():
        ranking = kinds.rankings[kind]
        rows += zip(
            [kind] * len(rows_Q),
            queries.pids[rows_Q].tolist(),
            ranking.first_rank.tolist(),
            ranking.average_precision.tolist(),
            ranking.inverse_negative_penalty.tolist(),
            strict=True,
        )
    _write(path, ["kind", "pid", "first_rank", "average_precision", "inp"], rows)


def _cells(interval: Interval) -> list[float | str]:
    """Its mean and its ends, which are empty where there are none."""
    return [interval.mean, *(interval.ends or ("", ""))]


def _write(path: Path, header: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(header)
        for row in rows:
            table.writerow([f"{cell:z.6f}" if isinstance(cell, float) else cell for cell in row])
