"""What a branch that predicts images from captions has learnt, beside what needs no caption."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from ubg.comparison.curves import curves_folder, read_curves
from ubg.figures.style import BLUE, FAINT, INK, ORANGE
from ubg.report.drawing import draw
from ubg.report.pictures import sheet_uri
from ubg.report.section import Section
from ubg.report.sources import Sources

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# As the evaluation names them, and what they are called; all in nats a code.
FLOORS = {
    "unigram_ce": "how often each code occurs",
    "position_unigram_ce": "the same, place by place",
}


def generation_section(sources: Sources) -> Section | None:
    """The branch on validation; None where no system has one."""
    found = {name: m.generation for name, m in sources.metrics.items() if m.generation}
    if not found:
        return None
    systems: list[dict[str, Any]] = []
    drawings: dict[str, Markup] = {}
    pictures: dict[str, str] = {}
    for name, measured in found.items():
        bars = _bars(measured)
        sheets = sorted(Path("plots", name, "generation").glob("*.png"))
        systems.append(
            {
                "system": name,
                "measured": measured,
                "bars": [{"what": what, "ce": round(ce, 4)} for what, ce, _ in bars],
                "sheets": [path.stem for path in sheets],
            }
        )
        drawings[f"ce of {name}"] = draw(
            f"ce_{name}",
            "Cross-entropy in nats: without a caption, with another person's, with its own",
            (4.4, 2.0),
            partial(_draw_bars, bars=bars),
        )
        curve = read_curves(curves_folder(name)).get("val_gen_ce")
        if curve:
            drawings[f"curve of {name}"] = draw(
                f"gen_{name}",
                "Cross-entropy on validation by epoch, above the floors without a caption",
                (4.4, 2.4),
                partial(_draw_curve, curve=curve, measured=measured),
            )
        pictures |= {f"{name} {path.stem}": sheet_uri(path) for path in sheets}
    title = "Generation: does the decoder read the caption?"
    return Section("generation", title, {"systems": systems}, drawings, pictures)


def _bars(measured: dict[str, Any]) -> list[tuple[str, float, str]]:
    """What is shown, its cross-entropy and its colour, worst first where learning has worked."""
    floors = [(what, measured[key], FAINT) for key, what in FLOORS.items() if key in measured]
    own = measured["ce"]
    bars = [*floors, ("its own caption", own, BLUE)]
    if "shuffled_caption_gap" in measured:
        other = own + measured["shuffled_caption_gap"]
        bars.insert(-1, ("another person's caption", other, ORANGE))
    return bars


def _draw_bars(axes: "Axes", bars: list[tuple[str, float, str]]) -> None:
    values = [ce for _, ce, _ in bars]
    drawn = axes.barh(range(len(bars)), values, 0.66, color=[colour for *_, colour in bars])
    axes.bar_label(drawn, fmt="%.3f", padding=3, color=INK)
    axes.set_yticks(range(len(bars)), [what for what, *_ in bars])
    axes.tick_params(axis="y", length=0)
    axes.set_ylim(len(bars) - 0.5, -0.5)
    axes.set_xlim(0, 1.15 * max(values))
    axes.grid(axis="y", visible=False)
    axes.set_xlabel("cross-entropy, nats a code")


def _draw_curve(axes: "Axes", curve: dict[int, float], measured: dict[str, Any]) -> None:
    from matplotlib.ticker import MaxNLocator

    epochs = sorted(curve)
    axes.plot(epochs, [curve[epoch] for epoch in epochs], "o-", color=BLUE, markersize=4)
    for key, what in FLOORS.items():
        if key in measured:
            axes.axhline(measured[key], color=FAINT, linestyle="--", linewidth=1.2)
            axes.annotate(
                what, (epochs[-1], measured[key]), xytext=(0, 3), textcoords="offset points",
                ha="right", fontsize=8,
            )  # fmt: skip
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.margins(y=0.15)
    axes.set_xlabel("epoch")
    axes.set_ylabel("validation, nats")
