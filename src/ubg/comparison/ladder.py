"""The ladder: the rows of tables and figures, in their order, and what each is compared with.

A system is read by its embeddings alone. One that keeps a second score is read by both as well, in
a row of its own, and a study may read two models of a system together.
"""

from collections.abc import Iterable
from dataclasses import dataclass


def both_scores(system: str) -> str:
    """The row of a system that is read by its embeddings and its second score."""
    return f"{system}, both scores"


def two_models(system: str) -> str:
    """The row of two models of a system, whose cosines are added."""
    return f"{system}, two models"


@dataclass(frozen=True)
class Rung:
    """The place of a row in tables and figures.

    Attributes:
        name: of the system, or what one of the functions above makes of it.
        colour: in all figures that compare. The colour-blind can tell them apart, after Okabe and
            Ito (2008).
        step_before: the row that it is a step from; None for a start.
        control: a row that it is compared with as well, where that was measured.
    """

    name: str
    colour: str
    step_before: str | None
    control: str | None = None


LADDER = (
    Rung("irra", "#7f7f7f", None),
    Rung("phase1", "#56b4e9", "irra"),
    Rung("phase2", "#0072b2", "phase1"),
    Rung("phase3", "#e69f00", "phase2"),
    Rung(two_models("phase3"), "#009e73", "phase3"),
    Rung("phase4", "#d55e00", "phase3"),
    Rung(both_scores("phase4"), "#cc79a7", "phase3", control=two_models("phase3")),
    Rung("clip_mer", "#f0e442", "irra"),
    Rung("t2i_reid", "#000000", "irra"),
)
STUDIED = ("phase3", "phase4")  # systems of a study over seeds, unless it names others


def rung(name: str) -> Rung:
    """The place of a row.

    Raises:
        ValueError: it has none.
    """
    for place in LADDER:
        if place.name == name:
            return place
    raise ValueError(
        f"{name!r} has no place in the ladder; give it one in src/ubg/comparison/ladder.py"
    )


def in_order(names: Iterable[str]) -> list[str]:
    """The rows named, each once, in the order of the ladder.

    Raises:
        ValueError: one has no place.
    """
    places = [rung(name) for name in set(names)]
    return [place.name for place in sorted(places, key=LADDER.index)]
