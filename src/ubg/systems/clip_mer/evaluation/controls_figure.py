"""Fusion against its controls, the kinds of two, three and four parts, as one picture."""

from collections.abc import Mapping
from pathlib import Path

from ubg.figures.forest import Comparison, draw_forest
from ubg.figures.style import BLUE, INK, ORANGE
from ubg.systems.clip_mer.evaluation.compare import Compared

SHOWN = {
    "over_mean": ("fusion – mean of the parts' own embeddings", BLUE),
    "over_left_out": ("all parts – one left out", INK),
    "exchange_costs": ("one left out – one of another person", ORANGE),
}
NOTE = "mAP, plain means over the kinds of so many parts; intervals for this one training run."


def draw_controls(path: Path, title: str, compared: Mapping[str, Compared]) -> None:
    """Draw the differences of each average.

    Args:
        path: the PNG to write.
        title: system, data set and split.
        compared: by average, see `compare_averages`.
    """
    comparisons = [
        Comparison(average.upper(), label, colour, getattr(of, name))
        for average, of in compared.items()
        for name, (label, colour) in SHOWN.items()
    ]
    draw_forest(path, title, comparisons, NOTE)
