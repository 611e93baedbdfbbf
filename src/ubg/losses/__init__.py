"""Training losses: pure functions, one in a file."""

import importlib
from typing import Any

FILES = {
    "cmpm_loss": "cmpm",
    "generation_itc_loss": "generation_itc",
    "generation_loss": "generation",
    "id_loss": "id",
    "itc_loss": "itc",
    "mlm_loss": "mlm",
    "sdm_loss": "sdm",
}


def __getattr__(name: str) -> Any:
    """Import a loss on first use, so that a system depends on the losses that it has."""
    if name in FILES:
        return getattr(importlib.import_module(f"ubg.losses.{FILES[name]}"), name)
    raise AttributeError(f"module 'ubg.losses' has no attribute {name!r}")
