"""The parts that a query is made of, and their combinations."""

from itertools import combinations

# Channels of the pictures that are searched by; infrared and sketches are grey.
CHANNELS = {"nir": 1, "cp": 3, "sk": 1}
PARTS = ("text", *CHANNELS)
RGB = "rgb"
MODALITIES = (RGB, *CHANNELS)  # of the vision tower

SINGLE_PARTS = tuple((part,) for part in PARTS)
COMBINATIONS = tuple(
    chosen for size in range(2, len(PARTS) + 1) for chosen in combinations(PARTS, size)
)
