"""The figure of a data set's annotations: four distributions, a curve or bar per split."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ubg.dataset_report.distributions import BySplit, Distributions
from ubg.dataset_report.percent import percent
from ubg.figures.style import INK, figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SPLIT_COLOURS = {"train": "#0072b2", "val": "#e69f00", "test": "#009e73"}
MAX_BARS = 8
MAX_BINS = 40


def draw_annotations(path: str | Path, dataset: str, found: Distributions, max_tokens: int) -> None:
    """Draw captions per image, images per identity, words and tokens per caption.

    Args:
        path: the PNG to write.
        dataset: the data set's label.
        found: of the annotation table.
        max_tokens: longer captions are cut; marked.
    """
    from matplotlib.patches import Patch

    units = {"image": "images", "identity": "identities", "caption": "captions"}
    with figure(path, 10, 7.6) as drawing:
        for place, (name, by_split) in enumerate(found.named().items(), 1):
            axes = drawing.add_subplot(2, 2, place)
            few = len(np.unique(np.concatenate(list(by_split.values())))) <= MAX_BARS
            if few and name.startswith(("captions", "images")):
                _draw_bars(axes, by_split)
            else:
                _draw_curves(axes, by_split)
            axes.grid(axis="x", visible=False)
            axes.set_ylim(bottom=0)
            axes.set_xlabel(f"{name}, CLIP" if "tokens" in name else name)
            axes.set_ylabel(f"{units[name.split()[-1]]} of the split, %")
            if "tokens" in name:
                _mark_limit(axes, by_split, max_tokens)
        drawing.suptitle(f"Annotations of {dataset}", x=0.01, ha="left", weight="bold", size=13)
        handles = [
            Patch(color=SPLIT_COLOURS[split], label=f"{split}: {len(captions):,} captions")
            for split, captions in found.words_per_caption.items()
        ]
        drawing.legend(handles=handles, loc="outside lower left", ncols=len(handles))


def _draw_bars(axes: "Axes", by_split: BySplit) -> None:
    """A group of bars for each value."""
    values = np.unique(np.concatenate(list(by_split.values()))).tolist()
    width = 0.84 / len(by_split)
    for place, (split, numbers) in enumerate(by_split.items()):
        counts = [int((numbers == value).sum()) for value in values]
        middles = np.arange(len(values)) + (place - (len(by_split) - 1) / 2) * width
        heights = 100 * np.array(counts) / len(numbers)
        bars = axes.bar(middles, heights, width * 0.94, color=SPLIT_COLOURS[split])
        if len(values) * len(by_split) <= 12:
            labels = [f"{count:,}" if count else "" for count in counts]
            axes.bar_label(bars, labels, padding=2, fontsize=8.5)
    axes.set_xticks(range(len(values)), [str(value) for value in values])
    axes.tick_params(axis="x", length=0)
    axes.set_xlim(-0.6, len(values) - 0.4)
    axes.margins(y=0.12)


def _draw_curves(axes: "Axes", by_split: BySplit) -> None:
    """An outline for each split, over bins of a whole number of values."""
    every = np.concatenate(list(by_split.values()))
    low, high = int(every.min()), int(every.max())
    step = -(-(high - low + 1) // MAX_BINS)
    edges = np.arange(low, high + step + 1, step) - 0.5
    for split, numbers in by_split.items():
        shares = 100 * np.histogram(numbers, edges)[0] / len(numbers)
        axes.stairs(shares, edges, color=SPLIT_COLOURS[split], linewidth=1.8)
    axes.margins(y=0.08)


def _mark_limit(axes: "Axes", by_split: BySplit, max_tokens: int) -> None:
    every = np.concatenate(list(by_split.values()))
    cut = 100 * float((every > max_tokens).mean())
    axes.axvline(max_tokens + 0.5, color=INK, linestyle="--", linewidth=1.2)
    left, right = axes.get_xlim()
    side = 1 if max_tokens < (left + right) / 2 else -1
    axes.annotate(
        f"longer than {max_tokens}: {percent(cut)}",
        (max_tokens + 0.5, 1),
        xycoords=("data", "axes fraction"),
        xytext=(4 * side, -2),
        textcoords="offset points",
        ha="left" if side > 0 else "right",
        va="top",
        fontsize=9.5,
    )
