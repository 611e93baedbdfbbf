"""Captions that do not belong to their image."""

from ubg.params.section import Count, Fraction, Section


class Noise(Section):
    """Which share of the training captions is exchanged among each other, as `seed` draws it."""

    rate: Fraction
    seed: Count
