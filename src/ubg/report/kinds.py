"""Queries of several parts: every kind, its averages, and what a fusion of the parts is worth."""

import csv
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ubg.comparison.ladder import rung
from ubg.figures.style import FAINT
from ubg.report.drawing import draw
from ubg.report.section import Section
from ubg.report.sources import Sources
from ubg.runtime.opening import Kind, read_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes

NUMBERS = ("one", "two", "three", "four")  # parts of a query, as the metrics name them


def kinds_section(sources: Sources) -> Section | None:
    """All kinds on test, of the first system that was measured by them; None where none was."""
    measured = {name: found for name, found in sources.metrics.items() if found.kinds}
    if not measured:
        return None
    name, found = next(iter(measured.items()))
    kinds = _read_kinds(Path("plots", name, "kinds", "kinds.csv"))
    data = {
        "system": name,
        "score": found.kinds["score"],
        "averages": [
            {
                "parts": number,
                **{metric: found.kinds[number][metric] for metric in ("r1", "r10", "map")},
                "fusion": _difference(found.controls.get(number, {}), "over_mean"),
                "exchange": _difference(found.controls.get(number, {}), "exchange_costs"),
            }
            for number in NUMBERS
        ],
        "kinds": kinds,
    }
    drawing = draw(
        "kinds",
        f"mAP of {name} for each kind of query, from one part to four",
        (4.4, 5.4),
        partial(_draw_kinds, kinds=kinds, colour=rung(name).colour),
    )
    return Section("kinds", "Queries of several parts", data, {"kinds": drawing})


def _read_kinds(path: Path) -> list[dict[str, Any]]:
    try:
        lines = list(csv.DictReader(read_text(path, Kind.TABLE).splitlines(), strict=True))
        if not lines:
            raise ValueError("it has no rows")
        return [
            {"kind": line["kind"], "queries": int(line["queries"])}
            | {metric: float(line[metric]) for metric in ("r1", "r5", "r10", "map", "minp")}
            for line in lines
        ]
    except (OSError, csv.Error, KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f"{path}: cannot be read: {str(error)[:300]}; run the evaluation of its system again"
        ) from None


def _difference(control: dict[str, float], key: str) -> dict[str, Any] | None:
    """A difference with the ends of its interval, as the macros of the page take one."""
    if key not in control:
        return None
    low, high = control.get(f"{key}_low"), control.get(f"{key}_high")
    differs = low is not None and high is not None and (low > 0 or high < 0)
    return {"mean": control[key], "low": low, "high": high, "differs": differs}


def _draw_kinds(axes: "Axes", kinds: list[dict[str, Any]], colour: str) -> None:
    heights = range(len(kinds))
    values = [one["map"] for one in kinds]
    axes.hlines(heights, 0, values, color=FAINT, linewidth=0.8)
    axes.plot(values, heights, "o", color=colour, markeredgecolor=FAINT, markersize=4)
    axes.set_yticks(heights, [one["kind"] for one in kinds], fontsize=6)
    axes.tick_params(axis="y", length=0)
    axes.set_ylim(len(kinds) - 0.5, -0.5)
    axes.set_xlim(0, 100)
    axes.set_xlabel("mAP, %")
