"""Files of weights, compared with a model before anything is read into it.

A weight that is shared between two places of a model is in its file once (`save_model`).
"""

from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_model
from torch import Tensor, nn

from ubg.runtime.faults import quoted
from ubg.runtime.opening import Kind, check_file

Shapes = dict[str, tuple[tuple[int, ...], str]]  # and the type of the numbers, as files name it
TYPES = {
    torch.float64: "F64",
    torch.float32: "F32",
    torch.float16: "F16",
    torch.bfloat16: "BF16",
    torch.int64: "I64",
    torch.int32: "I32",
    torch.bool: "BOOL",
}


def read_shapes(path: Path, advice: str) -> Shapes:
    """The shape and type of each tensor in a safetensors file, from its header.

    Raises:
        ValueError: there is no such file, or it is damaged; ends in `advice`.
    """
    try:
        check_file(path, Kind.WEIGHTS)
        with safe_open(path, "pt") as file:
            slices = {name: file.get_slice(name) for name in file.keys()}  # noqa: SIM118 -- not a dict
            return {name: (tuple(one.get_shape()), one.get_dtype()) for name, one in slices.items()}
    except FileNotFoundError:
        raise ValueError(f"{path}: is missing; {advice}") from None
    except ValueError as error:
        raise ValueError(f"{error}; {advice}") from None
    except (OSError, SafetensorError) as error:
        raise ValueError(f"{path}: cannot be read: {_line(error)}; {advice}") from None


def misfit(model: nn.Module, shapes: Shapes) -> str | None:
    """What of a file does not fit `model`, which may be on the meta device; None if all does."""
    expected = model.state_dict(keep_vars=True)
    by_tensor = {id(value): name for name, value in expected.items() if name in shapes}
    if unknown := sorted(shapes.keys() - expected.keys()):
        return f"weight {quoted(unknown[0])} is unexpected ({len(unknown)} in all)"
    if missing := sorted(name for name, value in expected.items() if id(value) not in by_tensor):
        return f"weight {quoted(missing[0])} is missing ({len(missing)} in all)"
    for name, (shape, kind) in shapes.items():
        if shape != tuple(expected[name].shape):
            wanted = list(expected[name].shape)
            found = str(list(shape))[:80]
            return f"weight {name!r} has shape {found} where the config asks for {wanted}"
        if kind != (own := TYPES[expected[name].dtype]):
            return f"weight {name!r} holds {kind} where the model has {own}"
    return None


def fill(model: nn.Module, path: Path, advice: str) -> None:
    """Load the weights in a file whose shapes fit `model`, in place.

    Raises:
        ValueError: it cannot be read, or a weight is not finite; ends in `advice`.
    """
    try:
        load_model(model, path)
    except (OSError, RuntimeError, SafetensorError) as error:
        raise ValueError(f"{path}: does not fit the model: {_line(error)}; {advice}") from None
    if (name := first_not_finite(model.state_dict())) is not None:
        raise ValueError(f"{path}: weight {name!r} is not finite; {advice}")


def first_not_finite(weights: dict[str, Tensor]) -> str | None:
    """The name of a weight that holds NaN or infinity."""
    for name, value in weights.items():
        if value.is_floating_point() and not torch.isfinite(value).all():
            return name
    return None


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:300]
