"""Checkpoints for resuming a killed run, written atomically so that a kill cannot damage them."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from secrets import token_hex
from typing import Any

import torch
from safetensors.torch import save_model
from torch import nn

from ubg.runtime.distributed import from_main, is_main
from ubg.runtime.files import remove, replace_file
from ubg.runtime.locks import PathLock, locked
from ubg.runtime.opening import Kind, check_file


def checkpoints() -> Path:
    """The parent of all folders of checkpoints."""
    return Path(os.environ.get("UBG_CHECKPOINTS", "checkpoints"))


@contextmanager
def checkpoint_folder(name: str, fingerprint: str) -> Iterator[Path]:
    """Where a stage keeps its checkpoints: `checkpoints/<name>-<fingerprint>`, for it alone.

    The folder is no DVC output, since DVC deletes outputs before a stage starts. The environment
    variable `UBG_CHECKPOINTS` names another parent, for queued experiments that run in a copy of
    the repository. The fingerprint covers everything that decides the result, so that a run only
    resumes from its own checkpoint.

    A second run of the same fingerprint waits until the first one's block has ended. It then finds
    the finished run to go on from and has only to write its results. The folder is removed, all of
    it or nothing, when the block ends well, unless another run waits for it. Processes that were
    launched together call this together; the main one holds the lock.
    """
    folder = checkpoints() / f"{name}-{fingerprint}"
    lock = PathLock(folder)
    waiting = folder.with_name(f"{folder.name}.waiting-{token_hex(8)}")
    with locked(waiting) if is_main() else nullcontext():
        while not from_main(lock.acquire_or_tell):  # all take part, or the others lose patience
            pass
    try:
        for other in folder.parent.glob(".*.partial"):  # killed while they were removed
            shutil.rmtree(other, ignore_errors=True)
        folder.mkdir(parents=True, exist_ok=True)
        yield folder
        if is_main() and not _others_wait(folder):
            remove(folder)
    finally:
        lock.release()


def save_state(
    path: Path, model: nn.Module, optimiser: torch.optim.Optimizer, progress: dict[str, Any]
) -> None:
    """Write everything to resume from; `path` is always a whole checkpoint, old or new."""
    state = {
        "model": model.state_dict(),
        "optimiser": optimiser.state_dict(),
        "progress": progress,
    }
    # Through a file of Python's, which says what torch does not: that the disk is full.
    with replace_file(path) as aside, aside.open("wb") as file:
        torch.save(state, file)


def save_weights(path: Path, model: nn.Module) -> None:
    """Write the weights alone as safetensors, tied weights once; whole or not at all."""
    with replace_file(path) as aside:
        save_model(model, str(aside))


def load_state(path: Path) -> dict[str, Any] | None:
    """What `save_state` wrote to `path`, or None where there is nothing.

    Raises:
        ValueError: it is no file, or no checkpoint.
    """
    if not path.exists():
        return None
    check_file(path, Kind.WEIGHTS)
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged file raises many kinds
        raise ValueError(
            f"{path}: is no readable checkpoint ({type(error).__name__}); delete it to start anew"
        ) from error


def _others_wait(folder: Path) -> bool:
    """Whether another process holds the lock that says that it waits for `folder`."""
    for file in folder.parent.glob(f".{folder.name}.waiting-*.lock"):
        lock = PathLock(file.with_name(file.name.removeprefix(".").removesuffix(".lock")))
        if not lock.acquire():
            return True
        lock.release()  # of a process that was killed
    return False
