"""A VQGAN on disk: `models/vqgan/`, its encoder and its decoder in files of their own."""

import hashlib
from pathlib import Path

import torch
from pydantic import ValidationError
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from ubg.runtime.faults import first_fault, quoted
from ubg.runtime.files import fingerprint, write_json
from ubg.runtime.opening import Kind, check_file, open_file, read_bytes
from ubg.runtime.weights import first_not_finite
from ubg.vqgan.model.architecture import Architecture
from ubg.vqgan.model.vqgan import VQGAN

VQGAN_FOLDER = Path("models/vqgan")
CONFIG, ENCODER, DECODER = "config.json", "encoder.safetensors", "decoder.safetensors"
DECODER_PREFIXES = ("decoder.", "post_quant_conv.")
ADVICE = "make it again with `dvc repro fit_vqgan`"


def save_vqgan(model: VQGAN, folder: Path) -> None:
    """Write `model` to `folder`, which exists."""
    weights = {name: value.contiguous() for name, value in model.state_dict().items()}
    decoder = {name for name in weights if name.startswith(DECODER_PREFIXES)}
    write_json(folder / CONFIG, model.architecture.model_dump(mode="json"))
    save_file({name: weights[name] for name in weights.keys() - decoder}, folder / ENCODER)
    save_file({name: weights[name] for name in decoder}, folder / DECODER)


def load_vqgan(folder: str | Path, decoder: bool = True) -> VQGAN:
    """The VQGAN in `folder`, on CPU, in evaluation mode, its weights frozen.

    Args:
        folder: what the stage `fit_vqgan` wrote.
        decoder: False neither builds nor reads the decoder; `encode` needs none.

    Raises:
        ValueError: a file is missing, unreadable, or does not fit the others.
    """
    folder = Path(folder)
    architecture = _read_architecture(folder)
    weights = _read_weights(folder / ENCODER)
    if decoder:
        weights |= _read_weights(folder / DECODER)
    with torch.device("meta"):
        model = VQGAN(architecture, decoder)
    problem = mismatch(model, weights)
    if problem is None:
        problem = _other_than_float32(weights)
    if problem is not None:
        raise ValueError(f"{folder}: {problem}; {ADVICE}")
    model.load_state_dict(weights, assign=True)
    return model.eval().requires_grad_(False)


def vqgan_fingerprint(folder: str | Path) -> str:
    """Sixteen hexadecimal digits that change with whatever decides the ids: config and encoder.

    Raises:
        ValueError: `folder` holds no VQGAN.
    """
    folder = Path(folder)
    architecture = _read_architecture(folder)
    try:
        with open_file(folder / ENCODER, Kind.WEIGHTS) as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except (OSError, ValueError) as error:
        raise ValueError(f"{folder / ENCODER}: cannot be read ({error}); {ADVICE}") from None
    return fingerprint(architecture.model_dump(mode="json"), digest)


def mismatch(model: nn.Module, weights: dict[str, Tensor]) -> str | None:
    """Why `weights` do not fit `model`, naming one of them; None if they fit."""
    expected = model.state_dict()
    if missing := sorted(expected.keys() - weights.keys()):
        return f"weight {quoted(missing[0])} is missing ({len(missing)} in all)"
    if unexpected := sorted(weights.keys() - expected.keys()):
        return f"weight {quoted(unexpected[0])} is unexpected ({len(unexpected)} in all)"
    for name, value in weights.items():
        if value.shape != expected[name].shape:
            found, wanted = str(list(value.shape))[:80], list(expected[name].shape)
            return f"weight {name!r} has shape {found} where the config asks for {wanted}"
        if not value.is_floating_point():
            return f"weight {name!r} is {value.dtype}, no floating-point number"
    if (unfit := first_not_finite(weights)) is not None:
        return f"weight {unfit!r} is not finite"
    return None


def _other_than_float32(weights: dict[str, Tensor]) -> str | None:
    for name, value in weights.items():
        if value.dtype != torch.float32:
            return f"weight {name!r} is {value.dtype}, and images are encoded in torch.float32"
    return None


def _read_architecture(folder: Path) -> Architecture:
    path = folder / CONFIG
    try:
        return Architecture.model_validate_json(read_bytes(path, Kind.CONFIG))
    except ValidationError as error:
        raise ValueError(f"{path}: {first_fault(error)}; {ADVICE}") from None
    except (OSError, ValueError) as error:
        raise ValueError(f"{path}: cannot be read ({error}); {ADVICE}") from None


def _read_weights(path: Path) -> dict[str, Tensor]:
    try:
        check_file(path, Kind.WEIGHTS)
        return load_file(path)
    except (OSError, ValueError, SafetensorError) as error:
        raise ValueError(f"{path}: cannot be read ({error}); {ADVICE}") from None
