"""The ladder of systems: their order, their colours, and which one each is compared with."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Rung:
    """The place of a system in tables and figures.

    Attributes:
        name: of the system.
        colour: in all figures that compare. The colour-blind can tell them apart, after Okabe and
            Ito (2008).
        step_before: the system that it is a step from; None for a start.
    """

    name: str
    colour: str
    step_before: str | None


LADDER = (
    Rung("irra", "#7f7f7f", None),
    Rung("phase1", "#56b4e9", "irra"),
    Rung("phase2", "#0072b2", "phase1"),
    Rung("phase3", "#e69f00", "phase2"),
    Rung("phase4", "#d55e00", "phase3"),
)
STUDIED = ("phase3", "phase4")  # of a study over seeds, unless it names others


def rung(name: str) -> Rung:
    """The place of a system.

    Raises:
        ValueError: it has none.
    """
    for place in LADDER:
        if place.name == name:
            return place
    raise ValueError(
        f"system {name!r} has no place in the ladder; give it one in src/ubg/comparison/ladder.py"
    )


def in_order(names: Iterable[str]) -> list[str]:
    """The systems named, in the order of the ladder.

    Raises:
        ValueError: one has no place.
    """
    places = [rung(name) for name in set(names)]
    return [place.name for place in sorted(places, key=LADDER.index)]
