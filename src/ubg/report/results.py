"""The ladder: what every system scored, and each step with its interval."""

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from ubg.comparison.ablation import INTERVAL_NOTE, AblationRow
from ubg.comparison.ladder import rung
from ubg.comparison.system_metrics import COLUMNS
from ubg.data.prepared import NO_IMAGE
from ubg.figures.forest import why_missing
from ubg.figures.style import INK
from ubg.report.drawing import PAPER, draw
from ubg.report.section import Section, ready
from ubg.report.sources import Sources

if TYPE_CHECKING:
    from matplotlib.axes import Axes

DRAWN = (("r1", "o"), ("map", "D"))  # with its mark


def results_section(sources: Sources) -> Section:
    """All rows of the ladder on test, and the steps between them."""
    rows = sources.rows
    data = {
        "columns": COLUMNS,
        "queries": len(next(iter(sources.queries.values())).ids),
        "gallery": int(sources.test["image_id"].drop_duplicates().ne(NO_IMAGE).sum()),
        "chance_r1": round(chance_r1(sources), 4),
        "rows": [_row(row) for row in rows],
        "weights": _weights(sources),
        "note": INTERVAL_NOTE,
        "missing": why_missing(found for row in rows for found in (row.intervals or {}).values()),
    }
    steps = [row for row in rows if row.intervals is not None]
    drawings = {}
    if steps:
        alternative = "Each step's difference in points to the row it is compared with, R@1 and mAP"
        size = (4.4, 0.9 + 0.5 * len(steps))
        drawings["steps"] = draw("steps", alternative, size, partial(_draw_steps, steps=steps))
    alternative = "R@1 on test of all rows, text to image, as bars"
    size = (4.4, 0.7 + 0.3 * len(rows))
    drawings["r1"] = draw("r1", alternative, size, partial(_draw_r1, rows=rows))
    return Section("results", "The ladder: where does a gain come from?", data, drawings)


def summary(results: Section) -> dict[str, Any]:
    """What the table says, for the head of the page."""
    rows = results.data["rows"]
    best = max(rows, key=lambda row: row["values"]["r1"])
    steps = [row for row in rows if row["intervals"] is not None]
    return {
        "best": best,
        "steps": len(steps),
        "differing": [row for row in steps if row["intervals"]["r1"]["differs"]],
    }


def chance_r1(sources: Sources) -> float:
    """R@1 of a ranking at random, percent: the mean share of the gallery that a caption fits."""
    images = sources.test.drop_duplicates("image_id")
    pids = images.loc[images["image_id"] != NO_IMAGE, "pid"].to_numpy()
    queries = next(iter(sources.queries.values()))
    people, counts = np.unique(pids, return_counts=True)
    of_person = dict(zip(people.tolist(), counts.tolist(), strict=True))
    fitting = [of_person.get(pid, 0) for pid in queries.pids.tolist()]
    return 100 * float(np.mean(fitting)) / len(pids)


def _row(row: AblationRow) -> dict[str, Any]:
    intervals = None
    if row.intervals is not None:
        intervals = {
            metric: {**(ready(found) or {}), "differs": found.excludes_zero}
            for metric, found in row.intervals.items()
        }
    return {
        "name": row.name,
        "colour": rung(row.name).colour,
        "values": row.values,
        "compared_with": row.step_before,
        "differences": row.differences,
        "intervals": intervals,
    }


def _weights(sources: Sources) -> list[dict[str, Any]]:
    """R@1 and mAP of the selected weights beside those after the last epoch."""
    return [
        {
            "system": name,
            "selected": {"r1": found.test.t2i.r1, "map": found.test.t2i.map},
            "last": {"r1": found.last.test.t2i.r1, "map": found.last.test.t2i.map},
            "val": {"r1": found.val.t2i.r1, "map": found.val.t2i.map},
        }
        for name, found in sources.metrics.items()
    ]


def _draw_r1(axes: "Axes", rows: Sequence[AblationRow]) -> None:
    values = [row.values["r1"] for row in rows]
    bars = axes.barh(range(len(rows)), values, 0.7, color=[rung(row.name).colour for row in rows])
    axes.bar_label(bars, fmt="%.1f", padding=3, color=INK)
    axes.set_yticks(range(len(rows)), [row.name for row in rows])
    axes.tick_params(axis="y", length=0)
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.set_xlim(0, 100)
    axes.grid(axis="y", visible=False)
    axes.set_xlabel("R@1, %")


def _draw_steps(axes: "Axes", steps: Sequence[AblationRow]) -> None:
    axes.axvline(0, color=INK, linewidth=1)
    for place, row in enumerate(steps):
        assert row.intervals is not None
        for offset, (metric, marker) in zip((-0.16, 0.16), DRAWN, strict=True):
            found, colour = row.intervals[metric], rung(row.name).colour
            if found.ends is not None:
                axes.plot(found.ends, [place + offset] * 2, color=colour)
            filled = colour if found.excludes_zero else PAPER
            axes.plot(
                found.mean,
                place + offset,
                marker,
                color=colour,
                markerfacecolor=filled,
                markersize=6,
                markeredgewidth=1.4,
            )
    axes.set_yticks(
        range(len(steps)), [f"{row.name}\n– {row.step_before}" for row in steps], fontsize=8
    )
    axes.tick_params(axis="y", length=0)
    axes.set_ylim(len(steps) - 0.5, -0.5)
    axes.grid(axis="y", visible=False)
    for metric, marker in DRAWN:
        axes.plot([], [], marker, color=INK, label=COLUMNS[metric])
    axes.legend(loc="lower center", bbox_to_anchor=(0.4, 1), ncols=2, borderpad=0)
    axes.set_xlabel("difference in points")
