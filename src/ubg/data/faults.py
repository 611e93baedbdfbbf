"""Many faults of one input, told together and briefly."""

MAX_SHOWN = 20


class Faults:
    """Collects faults, one line each, and raises them in one ValueError."""

    def __init__(self, summary: str) -> None:
        self.summary = summary
        self.lines: list[str] = []

    def add(self, line: str) -> None:
        """Note a fault: where, what is wrong, what to do."""
        self.lines.append(line)

    def raise_if_any(self) -> None:
        """Raise ValueError with the first `MAX_SHOWN` faults, if there is one.

        A single fault is the whole message, on one line.
        """
        if not self.lines:
            return
        if len(self.lines) == 1:
            raise ValueError(self.lines[0])
        more = len(self.lines) - MAX_SHOWN
        shown = self.lines[:MAX_SHOWN] + ([f"... and {more} more"] if more > 0 else [])
        raise ValueError("\n  ".join([f"{self.summary} ({len(self.lines)}):", *shown]))
