"""Differences with their confidence intervals, a line each (forest plot)."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ubg.figures.style import FAINT, INK, figure
from ubg.retrieval.bootstrap import Interval

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True)
class Comparison:
    """A line of the plot, below the heading `group`; the intervals are in points of percent.

    `over_seeds` is there where the same was measured with several seeds.
    """

    group: str
    label: str
    colour: str
    interval: Interval
    over_seeds: Interval | None = None


def differs(interval: Interval, over_seeds: Interval | None = None) -> bool:
    """Whether each interval that there is excludes zero."""
    return interval.excludes_zero and (over_seeds is None or over_seeds.excludes_zero)


def difference_cell(interval: Interval, over_seeds: Interval | None = None) -> str:
    """A table cell such as `**+1.20** [+0.31, +2.75]`, bold where it `differs`."""
    mark = "**" if differs(interval, over_seeds) else ""
    cell = f"{mark}{interval.mean:+z.2f}{mark} {interval.markdown()}"
    return cell if over_seeds is None else f"{cell} seeds {over_seeds.markdown()}"


def why_missing(intervals: Iterable[Interval | None]) -> list[str]:
    """The lines to put below a table or a plot where some of its intervals are missing."""
    reasons = [interval.missing for interval in intervals if interval is not None]
    return list(dict.fromkeys(reason for reason in reasons if reason is not None))


def draw_forest(path: str | Path, title: str, comparisons: list[Comparison], note: str) -> None:
    """Draw a dot per comparison on its intervals, filled where they exclude zero.

    The thick line is the interval over the queries, the thin grey one that over the seeds.

    Args:
        path: the PNG to write.
        title: above the plot.
        comparisons: from top to bottom; those of one group follow each other.
        note: what the intervals hold and what they do not, below the plot.
    """
    missing = why_missing(found for one in comparisons for found in (one.interval, one.over_seeds))
    note = "\n".join([note, *missing])
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
        axes.set_xlabel("difference in points")
        axes.plot([], [], color=INK, label="95 %, queries")
        if any(comparison.over_seeds for comparison in comparisons):
            axes.plot([], [], color=FAINT, linewidth=1, marker="|", label="95 %, seeds")
        axes.plot([], [], "o", color=INK, label="excludes zero")
        hollow = "holds zero, or none" if missing else "holds zero"
        axes.plot([], [], "o", color=INK, markerfacecolor="white", label=hollow)
        drawing.suptitle(title, x=0.01, ha="left", fontsize=13, fontweight="bold")
        drawing.legend(loc="outside lower left", ncols=4, title=note, alignment="left")


def _draw_line(axes: "Axes", height: int, comparison: Comparison) -> None:
    interval, colour, seeds = comparison.interval, comparison.colour, comparison.over_seeds
    right = interval.mean
    if seeds is not None and seeds.ends is not None:
        axes.plot(seeds.ends, [height, height], color=FAINT, linewidth=1, marker="|", zorder=1.5)
        right = max(right, seeds.ends[1])
    if interval.ends is not None:
        axes.plot(interval.ends, [height, height], color=colour, zorder=2)
        right = max(right, interval.ends[1])
    axes.plot(
        interval.mean,
        height,
        "o",
        markersize=8,
        color=colour,
        markerfacecolor=colour if differs(interval, seeds) else "white",
        markeredgewidth=1.8,
        zorder=3,
    )
    axes.annotate(
        f"{interval.mean:+z.2f}",
        (right, height),
        xytext=(7, 0),
        textcoords="offset points",
        va="center",
        fontsize=10,
    )
