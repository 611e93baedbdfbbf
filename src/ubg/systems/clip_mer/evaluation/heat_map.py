"""mAP of all kinds of query as one picture that marks where a part of the query hurts."""

from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ubg.data.query_kinds import KINDS
from ubg.figures.forest import why_missing
from ubg.figures.style import FAINT, INK, ORANGE, figure
from ubg.retrieval.bootstrap import Interval
from ubg.systems.clip_mer.evaluation.compare import Compared
from ubg.systems.clip_mer.evaluation.kinds import AVERAGES

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LEADING = ("TEXT", "NIR", "CP", "SK")
STARTS = (0, 1, 4, 7, 8)  # columns where the kinds of one part, of two, three, four begin, and end
NOTE = (
    "▼ part −x: the same queries have x points more mAP without that part. Framed: the 95 % "
    "interval over identities\nexcludes zero; if no part mattered, chance would frame some 2 of 76."
)


def draw_heat_map(
    path: Path,
    title: str,
    metrics: Mapping[str, Mapping[str, float]],
    averages: Mapping[str, Mapping[str, float]],
    compared: Mapping[str, Compared],
) -> None:
    """Draw a row for each leading part and a cell for each kind that it leads.

    Below a kind's mAP stands the part without which its queries do best, where they do better
    without one; framed where the interval of that loss excludes zero.

    Args:
        path: the PNG to write.
        title: system, data set and split.
        metrics: of each kind, percent.
        averages: over the kinds of one part, two, three and four.
        compared: kinds of several parts, with what each part adds.
    """
    values = np.array([[metrics[kind]["map"] for kind in led_by(leading)] for leading in LEADING])
    with figure(path, 12.5, 5.4) as drawing:
        axes = drawing.add_subplot()
        shown = axes.imshow(values, cmap="Blues", aspect="auto", vmin=0, vmax=100)
        for row, leading in enumerate(LEADING):
            for column, kind in enumerate(led_by(leading)):
                value = float(values[row, column])
                colour = "white" if value > 60 else INK
                axes.text(column, row - 0.3, kind, ha="center", va="center", color=colour, size=7)
                axes.text(column, row, f"{value:.1f}", ha="center", va="center", color=colour)
                if kind in compared and (harm := worst_harm(compared[kind])) is not None:
                    _mark(axes, row, column, *harm)
        for average, (start, end) in zip(AVERAGES, pairwise(STARTS), strict=True):
            axes.axvline(start - 0.5, color="white", linewidth=5)
            heading = f"{average.upper()}\nmAP {averages[average]['map']:.1f}"
            axes.text((start + end - 1) / 2, -0.62, heading, ha="center", va="bottom", size=10)
        axes.set_yticks(range(len(LEADING)), LEADING)
        axes.set_ylabel("leading part")
        axes.set_xticks([])
        axes.tick_params(length=0)
        axes.grid(visible=False)
        for spine in axes.spines.values():
            spine.set_visible(False)
        bar = drawing.colorbar(shown, ax=axes, pad=0.01, label="mAP, %")
        bar.outline.set_visible(False)
        drawing.suptitle(title, x=0.01, ha="left", fontsize=13, fontweight="bold")
        gains = [part.gain for of in compared.values() for part in of.parts.values()]
        drawing.supxlabel(
            "\n".join([NOTE, *why_missing(gains)]),
            x=0.01,
            ha="left",
            fontsize=10,
            color=FAINT,
        )


def led_by(leading: str) -> list[str]:
    """The kinds that a part leads, those of fewer parts first."""
    return sorted(
        (kind for kind in KINDS if kind.split("+")[0] == leading), key=lambda kind: kind.count("+")
    )


def worst_harm(compared: Compared) -> tuple[str, Interval] | None:
    """The part of a kind that takes most from the others, and what it adds; None if none does."""
    part, gain = min(
        ((name, part.gain) for name, part in compared.parts.items()), key=lambda one: one[1].mean
    )
    return (part, gain) if gain.mean < 0 else None


def _mark(axes: "Axes", row: int, column: int, part: str, gain: Interval) -> None:
    axes.text(
        column,
        row + 0.3,
        f"▼ {part.upper()} {gain.mean:+z.1f}".replace("-", "−"),
        ha="center",
        va="center",
        size=8,
        color=ORANGE,
        weight="bold",
        bbox={
            "boxstyle": "round,pad=0.25",
            "facecolor": "white",
            "edgecolor": ORANGE if gain.excludes_zero else "white",
            "linewidth": 1.4,
        },
    )
