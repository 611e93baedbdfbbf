"""How upper garments are cut."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Cut:
    """How an upper garment is cut. Lengths are fractions of the body height."""

    hem: float
    ease: float
    sleeve: str  # none, short, long
    collar: str  # crew, flat, lapel, stand, hood
    closure: str  # none, placket, buttons, zip
    flare: float = 0.0  # how much wider the hem is than the hips


CUTS = {
    "t-shirt": Cut(0.495, 0.008, "short", "crew", "none"),
    "polo shirt": Cut(0.495, 0.008, "short", "flat", "placket"),
    "shirt": Cut(0.48, 0.009, "long", "flat", "buttons"),
    "sweater": Cut(0.49, 0.013, "long", "crew", "none"),
    "hoodie": Cut(0.485, 0.016, "long", "hood", "none"),
    "jacket": Cut(0.495, 0.016, "long", "flat", "zip"),
    "puffer jacket": Cut(0.49, 0.027, "long", "stand", "zip"),
    "suit jacket": Cut(0.455, 0.014, "long", "lapel", "buttons"),
    "coat": Cut(0.29, 0.02, "long", "lapel", "buttons", 0.018),
    "vest": Cut(0.49, 0.02, "none", "stand", "zip"),
    "tank top": Cut(0.5, 0.005, "none", "crew", "none"),
    "dress": Cut(0.3, 0.007, "short", "crew", "none", 0.05),
}
