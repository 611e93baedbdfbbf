"""A caption that is wrong in one colour."""

import re

# Each colour becomes a clearly different one that follows the article "a", not "an".
OTHER_COLOUR = {
    "red": "blue",
    "blue": "red",
    "green": "red",
    "yellow": "blue",
    "orange": "blue",
    "purple": "yellow",
    "pink": "green",
    "brown": "white",
    "black": "white",
    "white": "black",
    "grey": "red",
    "gray": "red",
    "beige": "green",
    "navy": "yellow",
    "khaki": "purple",
    "maroon": "green",
    "teal": "red",
    "olive": "pink",
}
_COLOUR = re.compile(rf"\b({'|'.join(OTHER_COLOUR)})\b", re.IGNORECASE)


def with_another_colour(caption: str) -> str | None:
    """`caption` with its first colour changed wherever it occurs; None if it names no colour."""
    found = _COLOUR.search(caption)
    if found is None:
        return None
    colour = found.group().lower()
    caption = re.sub(rf"\b(a)n (?={colour}\b)", r"\1 ", caption, flags=re.IGNORECASE)
    return re.sub(rf"\b{colour}\b", OTHER_COLOUR[colour], caption, flags=re.IGNORECASE)
