"""Learning curves as training left them, and those of all systems in one picture."""

import csv
import io
from collections.abc import Mapping
from pathlib import Path

from ubg.comparison.ladder import rung
from ubg.figures.style import figure
from ubg.runtime.opening import Kind, read_text

Curve = dict[int, float]  # by epoch, from 1


def curves_folder(system: str) -> Path:
    """Where training left the curves of a system."""
    return Path("plots") / system / "training/plots/metrics"


def read_curves(folder: Path) -> dict[str, Curve]:
    """The curves by name.

    Raises:
        ValueError: a file holds something else; it is named.
    """
    return {path.stem: _read_curve(path) for path in sorted(folder.glob("*.tsv"))}


def selected_epoch(val_r1: Curve) -> int:
    """The first epoch of the best validation R@1, as training selects it."""
    return max(val_r1, key=lambda epoch: (val_r1[epoch], -epoch))


def draw_learning(path: Path, r1: Mapping[str, Curve], dataset: str) -> None:
    """Draw validation R@1 by epoch in the systems' colours; a ring marks what is selected."""
    from matplotlib.ticker import MaxNLocator

    with figure(path, 10, 5) as drawing:
        axes = drawing.add_subplot()
        for name, curve in r1.items():
            colour, selected = rung(name).colour, selected_epoch(curve)
            epochs = sorted(curve)
            axes.plot(epochs, [curve[epoch] for epoch in epochs], color=colour, label=name)
            ring = axes.plot(selected, curve[selected], "o", markersize=8, color=colour)[0]
            ring.set(markerfacecolor="white", markeredgewidth=2)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.set_xlabel("epoch")
        axes.set_ylabel("R@1, %")
        axes.set_title(f"Validation R@1 on {dataset}; a ring marks the epoch selected")
        axes.legend(loc="center left", bbox_to_anchor=(1, 0.5))


def _read_curve(path: Path) -> Curve:
    try:
        text = io.StringIO(read_text(path, Kind.TABLE), newline="")
        _, first, *rows = csv.reader(text, delimiter="\t")
        return {int(step): float(value) for step, value in (first, *rows)}
    except (OSError, ValueError, csv.Error) as error:
        raise ValueError(
            f"{path}: is no curve ({str(error)[:300]}); train this system again"
        ) from None
