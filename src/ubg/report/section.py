"""What a part of the page is made of."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from markupsafe import Markup

from ubg.data.text.normalise import normalise_caption
from ubg.retrieval.bootstrap import Interval

LONGEST = 300  # characters of a text that strangers wrote


@dataclass(frozen=True)
class Section:
    """A part of the page.

    Attributes:
        name: of its template, its anchor and its key in the JSON.
        title: its heading.
        data: all that it says, ready for JSON.
        drawings: inline SVG, by name.
        pictures: data URIs, by name.
    """

    name: str
    title: str
    data: dict[str, Any]
    drawings: Mapping[str, Markup] = field(default_factory=dict)
    pictures: Mapping[str, str] = field(default_factory=dict)


def plain(text: str) -> str:
    """A text from a data set on one line, without control characters, cut where it is too long."""
    line = normalise_caption(text)
    return line if len(line) <= LONGEST else line[: LONGEST - 1] + "…"


def ready(interval: Interval | None) -> dict[str, float | None] | None:
    """An interval for JSON, to four digits."""
    if interval is None:
        return None
    low, high = (None, None) if interval.ends is None else interval.ends
    return {
        name: None if value is None else round(value, 4)
        for name, value in (("mean", interval.mean), ("low", low), ("high", high))
    }
