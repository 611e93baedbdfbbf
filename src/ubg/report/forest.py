"""Differences with their confidence intervals, a line each (forest plot)."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ubg.report.bootstrap import Interval
from ubg.report.style import FAINT, INK, figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True)
class Comparison:
    """A line of the plot, below the heading `group`; `interval` in points of percent."""

    group: str
    label: str
    colour: str
    interval: Interval


def draw_forest(path: str | Path, title: str, comparisons: list[Comparison], note: str) -> None:
    """Draw a dot per comparison on its interval, filled where the interval excludes zero.

    Args:
        path: the PNG to write.
        title: above the plot.
        comparisons: from top to bottom; those of one group follow each other.
        note: what the intervals hold and what they do not, below the plot.
    """
    groups = list(dict.fromkeys(comparison.group for comparison in comparisons))
    lines = len(comparisons) + len(groups)
    with figure(path, 10, 1.9 + 0.3 * lines) as drawing:
        axes = drawing.add_subplot()
        axes.axvline(0, color=INK, linewidth=1.2)
        ticks, labels, height = [], [], 0
        for group in groups:
            ticks.append(height)
            labels.append(group)
            for comparison in comparisons:
                if comparison.group == group:
                    height += 1
                    ticks.append(height)
                    labels.append(comparison.label)
                    _draw_line(axes, height, comparison)
            height += 1
        axes.set_yticks(ticks, labels)
        for label in axes.get_yticklabels():
            if label.get_text() in groups:
                label.set_fontweight("bold")
        axes.tick_params(axis="y", length=0, pad=8)
        axes.grid(axis="y", visible=False)
        axes.spines["left"].set_visible(False)
        axes.set_ylim(max(lines, 1) - 0.4, -0.6)
        axes.margins(x=0.12)
        axes.set_xlabel("difference in points, with its 95 % interval")
        axes.set_title(title)
        axes.plot([], [], "o", color=FAINT, label="interval excludes zero")
        axes.plot([], [], "o", color=FAINT, markerfacecolor="white", label="interval holds zero")
        drawing.legend(loc="outside lower left", ncols=2, title=note, alignment="left")


def _draw_line(axes: "Axes", height: int, comparison: Comparison) -> None:
    interval, colour = comparison.interval, comparison.colour
    axes.plot([interval.low, interval.high], [height, height], color=colour, zorder=2)
    axes.plot(
        interval.mean,
        height,
        "o",
        markersize=8,
        color=colour,
        markerfacecolor=colour if interval.excludes_zero else "white",
        markeredgewidth=1.8,
        zorder=3,
    )
    axes.annotate(
        f"{interval.mean:+z.1f}",
        (interval.high, height),
        xytext=(7, 0),
        textcoords="offset points",
        va="center",
        fontsize=10,
    )
