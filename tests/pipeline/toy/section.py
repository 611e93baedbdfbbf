"""The toy system: a mean colour and a bag of words."""

from ubg.params.network import Network
from ubg.params.section import PositiveFloat, Section


class Toy(Section):
    """Its one loss, and how sharply it tells pairs apart."""

    itc: PositiveFloat
    temperature: PositiveFloat


class ToyNetwork(Network):
    """What its model is built from."""

    toy: Toy
