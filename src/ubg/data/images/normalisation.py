"""How pixels are scaled before a network sees them."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Normalisation:
    """Mean and standard deviation of each channel of pixels in [0, 1], as a tower expects them."""

    mean: tuple[float, ...]
    std: tuple[float, ...]
