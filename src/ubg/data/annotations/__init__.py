"""From the files of a data set to one tidy table."""

from typing import Any


def __getattr__(name: str) -> Any:
    """Import `read_annotations` on first use: who reads one module here need not load all."""
    if name == "read_annotations":
        from ubg.data.annotations.table import read_annotations

        return read_annotations
    raise AttributeError(f"module 'ubg.data.annotations' has no attribute {name!r}")
