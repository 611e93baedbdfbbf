"""The toy system: a mean colour and a bag of words."""

from typing import TYPE_CHECKING

from ubg.params.network import Network
from ubg.params.section import PositiveFloat, Section

if TYPE_CHECKING:
    from ubg.params import Scale


class Toy(Section):
    """Its one loss, and how sharply it tells pairs apart."""

    itc: PositiveFloat
    temperature: PositiveFloat


class ToyNetwork(Network):
    """What its model is built from."""

    toy: Toy

    @classmethod
    def of(cls, scale: "Scale") -> "ToyNetwork":
        """The part of a preset."""
        return cls(**cls.common(scale), toy=scale.toy)  # type: ignore[attr-defined]
