"""Turning features into rankings and rankings into numbers."""

import importlib
from typing import Any


def __getattr__(name: str) -> Any:
    """Import `metrics` on first use, so that `import ubg` alone suffices."""
    if name == "metrics":
        return importlib.import_module("ubg.retrieval.metrics")
    raise AttributeError(f"module 'ubg.retrieval' has no attribute {name!r}")
