"""Learning curves: validation R@1 of all systems, and the losses of each."""

from functools import partial
from typing import TYPE_CHECKING, Any

from ubg.comparison.curves import Curve, curves_folder, read_curves, selected_epoch
from ubg.comparison.ladder import rung
from ubg.report.drawing import PAPER, draw
from ubg.report.section import Section
from ubg.report.sources import Sources

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def learning_section(sources: Sources) -> Section | None:
    """Curves by epoch; the selected epoch is the one of the best validation R@1."""
    curves = {name: read_curves(curves_folder(name)) for name in sources.metrics}
    r1 = {name: found["val_r1"] for name, found in curves.items() if "val_r1" in found}
    if not r1:
        return None
    data = {"systems": [_system(name, curves[name]) for name in r1]}
    drawings = {
        "val_r1": draw(
            "val_r1",
            "Validation R@1 by epoch of every system; a ring marks the selected epoch",
            (4.4, 3.2),
            partial(_draw_r1, r1=r1),
        )
    }
    for name in r1:
        losses = {key: curve for key, curve in curves[name].items() if key.endswith("_loss")}
        if losses:
            drawings[f"losses of {name}"] = draw(
                f"losses_{name}",
                f"Training losses of {name} by epoch",
                (4.4, 2.3),
                partial(_draw_losses, name=name, losses=losses),
            )
    return Section("learning", "Learning curves", data, drawings)


def _system(name: str, curves: dict[str, Curve]) -> dict[str, Any]:
    val_r1 = curves["val_r1"]
    selected = selected_epoch(val_r1)
    return {
        "system": name,
        "epochs": max(val_r1),
        "selected": selected,
        "val_r1_selected": round(val_r1[selected], 4),
        "val_r1_last": round(val_r1[max(val_r1)], 4),
        "curves": {
            key: [[epoch, round(value, 6)] for epoch, value in sorted(curve.items())]
            for key, curve in curves.items()
        },
    }


def _draw_r1(axes: "Axes", r1: dict[str, Curve]) -> None:
    for name, curve in r1.items():
        colour, selected = rung(name).colour, selected_epoch(curve)
        epochs = sorted(curve)
        axes.plot(epochs, [curve[epoch] for epoch in epochs], color=colour, label=name)
        ring = axes.plot(selected, curve[selected], "o", markersize=7, color=colour)[0]
        ring.set(markerfacecolor=PAPER, markeredgewidth=1.8)
    _epochs(axes, max(max(curve) for curve in r1.values()))
    axes.set_ylabel("validation R@1, %")
    axes.legend(loc="lower right")


def _draw_losses(axes: "Axes", name: str, losses: dict[str, Curve]) -> None:
    for key, curve in losses.items():
        epochs = sorted(curve)
        label = key.removesuffix("_loss").replace("_", " ")
        axes.plot(epochs, [curve[epoch] for epoch in epochs], marker=".", label=label)
    if all(value > 0 for curve in losses.values() for value in curve.values()):
        axes.set_yscale("log")
    _epochs(axes, max(max(curve) for curve in losses.values()))
    axes.set_title(name)
    axes.set_ylabel("loss")
    axes.legend(loc="upper left", bbox_to_anchor=(1, 1), borderpad=0)


def _epochs(axes: "Axes", last: int) -> None:
    from matplotlib.ticker import MaxNLocator

    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_xlim(0.8, last + 0.2)
    axes.set_xlabel("epoch")
