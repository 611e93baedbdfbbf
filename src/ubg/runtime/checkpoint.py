"""Checkpoints for resuming a killed run, written atomically so that a kill cannot damage them."""

import os
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_model
from torch import nn

from ubg.runtime.files import replace_file


def checkpoint_folder(name: str, fingerprint: str) -> Path:
    """Where a stage keeps its checkpoints: `checkpoints/<name>-<fingerprint>`.

    The folder is no DVC output, since DVC deletes outputs before a stage starts. The environment
    variable `UBG_CHECKPOINTS` names another parent, for queued experiments that run in a copy of
    the repository. The fingerprint covers everything that decides the result, so that a run only
    resumes from its own checkpoint.
    """
    return Path(os.environ.get("UBG_CHECKPOINTS", "checkpoints")) / f"{name}-{fingerprint}"


def save_state(
    path: Path, model: nn.Module, optimiser: torch.optim.Optimizer, progress: dict[str, Any]
) -> None:
    """Write everything to resume from; `path` is always a whole checkpoint, old or new."""
    state = {
        "model": model.state_dict(),
        "optimiser": optimiser.state_dict(),
        "progress": progress,
    }
    with replace_file(path) as aside:
        torch.save(state, aside)


def save_weights(path: Path, model: nn.Module) -> None:
    """Write the weights alone as safetensors, tied weights once; whole or not at all."""
    with replace_file(path) as aside:
        save_model(model, str(aside))


def load_state(path: Path) -> dict[str, Any] | None:
    """What `save_state` wrote to `path`, or None where there is nothing.

    Raises:
        ValueError: the file is no checkpoint.
    """
    if not path.exists():
        return None
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged file raises many kinds
        raise ValueError(
            f"{path}: is no readable checkpoint ({type(error).__name__}); delete it to start anew"
        ) from error
