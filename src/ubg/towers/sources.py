"""Reading of untrusted files of pretrained models, on disk or on the hub."""

import json
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from huggingface_hub import hf_hub_download, snapshot_download
from huggingface_hub.errors import (
    EntryNotFoundError,
    HfHubHTTPError,
    HFValidationError,
    LocalEntryNotFoundError,
)
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

LARGEST_JSON = 2**20  # bytes


def reason(error: Exception) -> str:
    """What an error of a library says, on one line."""
    if isinstance(error, UnpicklingError):
        return "it holds pickled objects, and only tensors are unpickled"
    return " ".join(str(error).split())[:300]


def find_file(source: str, name: str) -> Path | None:
    """The file `name` of a folder or of a hub repository (fetched or cached), if there is one.

    Without a connection a repository holds what the cache has of it.

    Raises:
        ValueError: `source` is neither, or the hub cannot be reached and nothing is cached.
    """
    if Path(source).is_dir():
        path = Path(source) / name
        return path if path.is_file() else None
    try:
        return Path(hf_hub_download(source, name))
    except EntryNotFoundError as error:
        if not isinstance(error, LocalEntryNotFoundError) or _is_cached(source):
            return None
        raise ValueError(
            f"{source}: is no folder, the hub cannot be reached, and its cache has nothing of "
            "that name; see the path, or download the model on a machine with a connection"
        ) from error
    except (OSError, HfHubHTTPError, HFValidationError) as error:
        raise ValueError(
            f"{source}: is no folder, and no model on the hub can be read: {reason(error)}"
        ) from error


def _is_cached(name: str) -> bool:
    try:
        snapshot_download(name, local_files_only=True)
    except LocalEntryNotFoundError:
        return False
    return True


def read_json(path: Path) -> dict[str, Any]:
    """The object in a small JSON file.

    Raises:
        ValueError: it is too large, or no JSON object.
    """
    if path.stat().st_size > LARGEST_JSON:
        raise ValueError(f"{path}: is larger than {LARGEST_JSON} bytes, too large for a config")
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ValueError(f"{path}: cannot be read as JSON: {reason(error)}") from error
    if not isinstance(values, dict):
        raise ValueError(f"{path}: is not a JSON object; give the model's own file")
    return values


def read_state_dict(path: Path) -> dict[str, Tensor]:
    """The weights in a safetensors file, or in one that `torch.save` wrote; no object is unpickled.

    A training checkpoint with its weights under `state_dict`, and names that begin with `module.`
    as data parallelism leaves them, are read too.

    Raises:
        ValueError: it cannot be read, or holds anything else than named tensors.
    """
    state: Any
    try:
        if path.suffix == ".safetensors":
            state = load_file(path)
        else:
            state = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, ValueError, EOFError, SafetensorError, UnpicklingError) as error:
        raise ValueError(
            f"{path}: cannot be read as weights: {reason(error)}; "
            "give safetensors, or a state dict as torch.save writes it"
        ) from error
    if isinstance(state, dict):
        state = state.get("state_dict", state)
    if not isinstance(state, dict) or not all(
        isinstance(name, str) and isinstance(value, Tensor) for name, value in state.items()
    ):
        raise ValueError(f"{path}: is not a dictionary of named tensors; give a state dict")
    if all(name.startswith("module.") for name in state):
        return {name.removeprefix("module."): value for name, value in state.items()}
    return state
