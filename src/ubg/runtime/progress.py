"""Progress bars: redrawn on a terminal, a line a minute in a log."""

import os
import sys
from typing import Any, TextIO

from tqdm import tqdm

MINUTE = 60.0
CURSOR_UP = "\x1b[A"


class LogLines:
    """A text file in which each state of a bar is a line of its own."""

    def __init__(self, file: TextIO) -> None:
        self.file = file
        self.encoding = file.encoding

    def write(self, text: str) -> None:
        """Write the states that a bar redraws; what moves or clears the cursor is left out."""
        for state in text.replace(CURSOR_UP, "").split("\r"):
            if state.strip():
                self.file.write(f"{state.rstrip()}\n")

    def flush(self) -> None:
        """Flush the file."""
        self.file.flush()


def progress_bar(desc: str, **options: Any) -> "tqdm[Any]":
    """A bar of tqdm on the standard error output; where that is no terminal, a line a minute.

    Args:
        desc: what is done, and for which system. The stage that DVC runs stands before it.
        options: of tqdm.
    """
    stage = os.environ.get("DVC_STAGE")
    named = f"{stage}, {desc}" if stage else desc
    if sys.stderr.isatty():
        return tqdm(desc=named, **options)
    lines: Any = LogLines(sys.stderr)
    return tqdm(desc=named, file=lines, mininterval=MINUTE, maxinterval=MINUTE, **options)
