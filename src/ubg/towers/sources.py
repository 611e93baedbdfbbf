"""Reading of untrusted files of pretrained models."""

import shlex
import zipfile
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor

from ubg.runtime.opening import Kind, check_file, open_file
from ubg.runtime.weights import first_not_finite

PREFIXES = ("module.", "_orig_mod.")
TORCH_BEGINS = (b"PK", b"\x80")  # a zip archive, or a pickle in the older form


def reason(error: Exception) -> str:
    """What an error of a library says, on one line."""
    if isinstance(error, UnpicklingError):
        return "it holds pickled objects, and only tensors are unpickled"
    return " ".join(str(error).split())[:300] or type(error).__name__


def read_state_dict(path: Path) -> dict[str, Tensor]:
    """The weights in a safetensors file, or in one that `torch.save` wrote; no object is unpickled.

    A training checkpoint with its weights under `model` or `state_dict` is read too, and names that
    begin with `module.` or `_orig_mod.`, as data parallelism and `torch.compile` leave them.

    Raises:
        ValueError: it cannot be read, or holds anything else than named tensors.
    """
    try:
        check_file(path, Kind.WEIGHTS)
        torchscript = _is_torchscript(path)
    except Exception as error:  # a damaged archive fails in as many ways
        raise ValueError(f"{path}: cannot be read as weights: {reason(error)}") from None
    if torchscript:
        converted = str(path.with_suffix(".state_dict.pt"))
        weights = f"torch.jit.load({str(path)!r}, map_location='cpu').state_dict()"
        code = f"import torch; torch.save({weights}, {converted!r})"
        raise ValueError(
            f"{path}: is a TorchScript archive, which holds code; if you trust it, convert it by "
            f"`{shlex.join(['python', '-c', code])}` and give {converted}"
        )
    state: Any
    try:
        if path.suffix == ".safetensors":
            state = load_file(path)
        else:
            _refuse_other_files(path)
            state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # the file is from outside, and damage shows in many ways
        raise ValueError(
            f"{path}: cannot be read as weights: {reason(error)}; "
            "give safetensors, or a state dict as torch.save writes it"
        ) from error
    for wrapper in ("model", "state_dict"):
        if isinstance(state, dict) and isinstance(state.get(wrapper), dict):
            state = state[wrapper]
    if not isinstance(state, dict) or not all(
        isinstance(name, str) and isinstance(value, Tensor) for name, value in state.items()
    ):
        raise ValueError(f"{path}: is not a dictionary of named tensors; give a state dict")
    for name, value in state.items():
        if value.layout is not torch.strided or value.is_quantized:
            raise ValueError(f"{path}: {name[:200]!r} is no plain tensor; save it as one")
    if (unfit := first_not_finite(state)) is not None:
        raise ValueError(f"{path}: weight {unfit[:200]!r} is not finite; fetch the file again")
    return _without_prefixes(state)


def _without_prefixes(state: dict[str, Tensor]) -> dict[str, Tensor]:
    for prefix in PREFIXES:
        if state and all(name.startswith(prefix) for name in state):
            return _without_prefixes({n.removeprefix(prefix): value for n, value in state.items()})
    return state


def _is_torchscript(path: Path) -> bool:
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        return any(name.endswith("/constants.pkl") for name in archive.namelist())


def _refuse_other_files(path: Path) -> None:
    """Say of a picture, a text or a pointer to a large file that it is none of torch's."""
    with open_file(path, Kind.WEIGHTS) as file:
        begin = file.read(16)
    if not begin:
        raise ValueError("it is empty")
    if not begin.startswith(TORCH_BEGINS):
        raise ValueError(f"it is no file of torch, but begins with {begin!r}")
