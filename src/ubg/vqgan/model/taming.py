"""Published checkpoints of CompVis/taming-transformers: a Lightning `.ckpt` beside its yaml."""

import pickle
import re
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import torch
import yaml
from pydantic import BaseModel, ConfigDict, ValidationError
from torch import Tensor
from torch.serialization import safe_globals

from ubg.runtime.bounded_yaml import load_yaml
from ubg.runtime.faults import first_fault
from ubg.runtime.opening import Kind, check_file, read_text
from ubg.vqgan.model.architecture import Architecture
from ubg.vqgan.model.folder import mismatch
from ubg.vqgan.model.vqgan import VQGAN

OBJECTIVE = "loss."  # discriminator and perceptual network: parts of the training objective


class _Sizes(BaseModel):
    """`model.params.ddconfig`; any other key would ask for another network."""

    model_config = ConfigDict(extra="forbid")
    ch: int
    ch_mult: tuple[int, ...]
    num_res_blocks: int
    attn_resolutions: tuple[int, ...]
    resolution: int
    z_channels: int
    double_z: Literal[False]
    in_channels: Literal[3]
    out_ch: Literal[3]
    dropout: float = 0.0


class _Model(BaseModel):
    """`model.params`; its other keys concern training."""

    embed_dim: int
    n_embed: int
    ddconfig: _Sizes
    remap: None = None


class _Published(BaseModel):
    """`model`."""

    target: Literal["taming.models.vqgan.VQModel"]
    params: _Model


class _Callback:
    """Stands in for Lightning's callback class, which old checkpoints name as a key."""


HARMLESS: list[Callable[..., Any] | tuple[Callable[..., Any], str]] = [
    (_Callback, f"{package}.callbacks.model_checkpoint.ModelCheckpoint")
    for package in ("pytorch_lightning", "lightning.pytorch")
]


def load_published(checkpoint: str | Path, config: str | Path) -> VQGAN:
    """The VQGAN of a published checkpoint, in evaluation mode.

    Nothing pickled is run: the file is read as weights alone. The weights of the training
    objective, `loss.*`, are set aside.

    Args:
        checkpoint: the weights, bare or in Lightning's wrapper.
        config: the yaml with `model.params.{embed_dim, n_embed, ddconfig}`.

    Raises:
        ValueError: a file cannot be read, or the two do not fit; the key is named.
    """
    architecture = read_config(Path(config))
    weights = read_weights(Path(checkpoint))
    with torch.device("meta"):
        model = VQGAN(architecture)
    problem = mismatch(model, weights)
    if problem is not None:
        raise ValueError(f"{checkpoint}: {problem}; does {config} belong to it?")
    model.load_state_dict(
        {name: value.to(torch.float32) for name, value in weights.items()}, assign=True
    )
    return model.eval().requires_grad_(False)


def read_config(path: Path) -> Architecture:
    """The sizes that a published yaml gives.

    Raises:
        ValueError: no such yaml, another kind of model, or sizes out of range.
    """
    try:
        values = load_yaml(read_text(path, Kind.CONFIG))
    except (OSError, ValueError, yaml.YAMLError, RecursionError) as error:
        raise ValueError(f"{path}: cannot be read: {_line(error)}") from None
    prefix = "model"
    try:
        model = _Published.model_validate(values["model"] if _has_model(values) else {})
        sizes = model.params.ddconfig
        prefix = "sizes"
        return Architecture(
            codes=model.params.n_embed,
            code_dim=model.params.embed_dim,
            latent_channels=sizes.z_channels,
            channels=sizes.ch,
            multipliers=sizes.ch_mult,
            blocks=sizes.num_res_blocks,
            attention_resolutions=sizes.attn_resolutions,
            resolution=sizes.resolution,
        )
    except ValidationError as error:
        fault = first_fault(error, [prefix])
        raise ValueError(
            f"{path}: {fault}; give the yaml of a VQModel of taming-transformers"
        ) from None


def read_weights(path: Path) -> dict[str, Tensor]:
    """The weights of a published checkpoint by name, without those of the training objective.

    Raises:
        ValueError: as `read_tensors`.
    """
    tensors = read_tensors(path)
    return {name: value for name, value in tensors.items() if not name.startswith(OBJECTIVE)}


def read_tensors(path: Path) -> dict[str, Tensor]:
    """A state dict by name, bare or in Lightning's wrapper, on CPU.

    Raises:
        ValueError: the file cannot be read as weights alone, or holds none.
    """
    try:
        check_file(path, Kind.WEIGHTS)
        with safe_globals(HARMLESS):
            loaded: Any = torch.load(
                path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path)
            )
    except pickle.UnpicklingError as error:
        refused = re.search(r"GLOBAL (\S+)", str(error))
        if refused is None:
            raise ValueError(
                f"{path}: is no file that torch.save wrote, or a damaged one; give the .ckpt"
            ) from None
        raise ValueError(
            f"{path}: holds pickled objects beside its weights ({refused[1]}), which are not run; "
            "if you trust the file, load it where it was made and save {'state_dict': ...} alone "
            "with torch.save"
        ) from None
    except Exception as error:  # a damaged file raises many kinds
        raise ValueError(f"{path}: cannot be read: {_line(error)}") from None
    tensors = loaded.get("state_dict", loaded) if isinstance(loaded, dict) else None
    if not isinstance(tensors, dict):
        raise ValueError(f"{path}: is no checkpoint: it holds no weights by name")
    for name, value in tensors.items():
        if not isinstance(name, str) or not isinstance(value, Tensor):
            raise ValueError(f"{path}: {name!r} is {type(value).__name__}, no weight")
    return tensors


def _has_model(values: Any) -> bool:
    return isinstance(values, dict) and isinstance(values.get("model"), dict)


def _line(error: BaseException) -> str:
    """The start of what `error` says, in one line."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= 200 else text[:197] + "..."
