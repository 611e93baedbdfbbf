"""What is read off embeddings, as a matrix, beside whom and what they find."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ubg.disentanglement.tables import MEASURES, Row
from ubg.figures.style import BLUE, FAINT, INK, ORANGE, figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FOUND = {  # and their colours
    "person r1": ("same person, other outfit", BLUE),
    "outfit r1": ("same outfit, other person", ORANGE),
}
READ = tuple(measure for measure in MEASURES if measure.split()[0] in ("linear", "mlp"))
READ_NOTE = "Balanced accuracy on test persons of probes fitted on others, mean over attributes."
FOUND_NOTE = "Right: R@1 image to image, 95 % interval over persons; dotted: a random order."


def draw_disentanglement(
    path: Path, title: str, rows: list[Row], chance_of: Mapping[str, float]
) -> None:
    """Draw a line for each embedding of each model.

    Args:
        path: the PNG to write.
        title: above.
        rows: from top to bottom.
        chance_of: by measure, what is reached without looking.
    """
    found = [measure for measure in FOUND if any(measure in row.values for row in rows)]
    labels = [f"{row.model}: {row.embedding}" for row in rows]
    with figure(path, 12.5 if found else 8, 2.4 + 0.38 * len(rows)) as drawing:
        if found:
            matrix, retrieval = drawing.subplots(1, 2, width_ratios=(1, 1), sharey=True)
            _draw_found(retrieval, rows, found, chance_of)
        else:
            matrix = drawing.subplots()
        _draw_matrix(matrix, rows, labels, chance_of)
        drawing.suptitle(title, x=0.01, ha="left", fontsize=13, fontweight="bold")
        note = f"Left: {READ_NOTE}\n{FOUND_NOTE}" if found else READ_NOTE
        drawing.supxlabel(note, x=0.01, ha="left", fontsize=10, color=FAINT)


def _draw_matrix(
    axes: "Axes", rows: list[Row], labels: list[str], chance_of: Mapping[str, float]
) -> None:
    values = np.array(
        [[row.values[one].mean if one in row.values else np.nan for one in READ] for row in rows]
    )
    axes.imshow(values, cmap="Blues", aspect="auto", vmin=0, vmax=100)
    for (row, column), value in np.ndenumerate(values):
        if np.isfinite(value):
            colour = "white" if value > 60 else INK
            axes.text(column, row, f"{value:.1f}", ha="center", va="center", color=colour)
    names = [
        f"{MEASURES[one]}\nchance {chance_of[one]:.1f}" if one in chance_of else MEASURES[one]
        for one in READ
    ]
    axes.set_xticks(range(len(READ)), names)
    axes.xaxis.tick_top()
    axes.set_yticks(range(len(rows)), labels)
    axes.tick_params(length=0)
    axes.grid(visible=False)
    for spine in axes.spines.values():
        spine.set_visible(False)


def _draw_found(
    axes: "Axes", rows: list[Row], found: list[str], chance_of: Mapping[str, float]
) -> None:
    for place, measure in enumerate(found):
        label, colour = FOUND[measure]
        axes.axvline(chance_of[measure], color=colour, linewidth=1, linestyle=":")
        shift = 0.3 * (place - (len(found) - 1) / 2)
        axes.plot([], [], "o", color=colour, label=label)
        for height, row in enumerate(rows):
            if measure in row.values:
                interval = row.values[measure]
                if interval.ends is not None:
                    axes.plot(interval.ends, [height + shift] * 2, color=colour)
                axes.plot(interval.mean, height + shift, "o", color=colour, markersize=6)
    axes.set_xlim(left=0)
    axes.set_xlabel("R@1, %")
    axes.grid(axis="y", visible=False)
    axes.tick_params(axis="y", length=0)
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2)
