"""From raw files to batches."""

import importlib
from typing import Any


def __getattr__(name: str) -> Any:
    """Import `annotations` on first use, so that `import ubg` alone suffices."""
    if name == "annotations":
        return importlib.import_module("ubg.data.annotations")
    raise AttributeError(f"module 'ubg.data' has no attribute {name!r}")
