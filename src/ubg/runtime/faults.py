"""Many faults of one input, told together, and what is cited of it."""

from collections.abc import Iterable

from pydantic import ValidationError

SHOWN = 20  # faults of one input; others are only counted
SHOWN_CHARACTERS = 80
SHOWN_MESSAGE = 300


class Faults:
    """Collects faults, one line each, and raises them in one ValueError.

    Args:
        summary: the heading when there are several.
    """

    def __init__(self, summary: str) -> None:
        self.summary = summary
        self.count = 0
        self.lines: list[str] = []

    def add(self, line: str) -> None:
        """Note a fault: where, what is wrong, what to do."""
        self.count += 1
        if self.count <= SHOWN:
            self.lines.append(line)

    def raise_if_any(self) -> None:
        """Raise ValueError if there is a fault; a single one is the whole message, on one line."""
        if self.count == 0:
            return
        if self.count == 1:
            raise ValueError(self.lines[0])
        more = self.count - len(self.lines)
        lines = self.lines + ([f"... and {more:,} more"] if more else [])
        raise ValueError("\n  ".join([f"{self.summary} ({self.count:,}):", *lines]))


def quoted(text: str) -> str:
    """The beginning of a text from outside, in quotes and printable whatever it holds."""
    return repr(text[:SHOWN_CHARACTERS]) + ("…" if len(text) > SHOWN_CHARACTERS else "")


def first_fault(error: ValidationError, within: Iterable[object] = ()) -> str:
    """Where and what the first fault is, on one line, as in "network.image.height: missing".

    Args:
        error: what pydantic raised.
        within: where what was validated stands in its file, if it is not all of it.
    """
    fault = error.errors(include_url=False)[0]
    key = key_of([*within, *fault["loc"]]) or "(top level)"
    said = "missing" if fault["type"] == "missing" else fault["msg"]
    return " ".join(f"{key}: {said}".split())[:SHOWN_MESSAGE]


def key_of(place: Iterable[object]) -> str:
    """Where in a description something stands, as "network.image.height"; any name is printable."""
    return ".".join(
        part if part.isprintable() and len(part) <= SHOWN_CHARACTERS else quoted(part)
        for part in map(str, place)
    )
