"""What evaluation needs of the branch, on disk: `models/phase4_generator/`.

Retrieval by embeddings never reads it.
"""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import torch
from pydantic import ValidationError
from torch import nn

from ubg.params import Generation
from ubg.runtime.faults import first_fault, quoted
from ubg.runtime.files import beside, replace_folder, write_json
from ubg.runtime.opening import read_json
from ubg.runtime.weights import fill, misfit, read_shapes
from ubg.vqgan.model.folder import CONFIG, ENCODER, VQGAN_FOLDER, vqgan_fingerprint

B = TypeVar("B", bound=nn.Module)

GENERATOR = Path("models/phase4_generator")
WEIGHTS, VQGAN = "generator.safetensors", "vqgan"
MOST = 2**20  # places of a grid, codes of a book
MOST_LAYERS = 256
ADVICE = "make it again with `dvc repro train_phase4`"


def generator_folder(model: Path) -> Path:
    """Where the branch of the trained model in `model` lies: beside it."""
    return beside(model, "_generator")


def write_generator(generation: Generation, sizes: dict[str, int] | None, best: Path) -> None:
    """Write the folder.

    Args:
        generation: params of the branch.
        sizes: what it is built from beside them; None where it was off, and then only the config
            is written.
        best: folder with the weights of the best epoch.
    """
    with replace_folder(GENERATOR) as output:
        config = {"generation": generation.model_dump(mode="json"), **(sizes or {})}
        if sizes is not None:
            shutil.copy(best / WEIGHTS, output)
        if sizes is not None and generation.condition == "text":
            # A second score encodes images that are not packed.
            config["vqgan"] = vqgan_fingerprint(VQGAN_FOLDER)
            (output / VQGAN).mkdir()
            for name in (CONFIG, ENCODER):
                shutil.copy(VQGAN_FOLDER / name, output / VQGAN)
        write_json(output / "config.json", config)


def read_generation(folder: Path) -> tuple[Generation, dict[str, Any]]:
    """The params of the branch, and the whole config with the sizes that it was built from.

    Raises:
        ValueError: the config is missing or does not fit.
    """
    path = folder / "config.json"
    try:
        config = read_json(path)
        generation = Generation.model_validate(config["generation"])
        if generation.decoder_layers > MOST_LAYERS:
            raise ValueError(f"decoder_layers: {generation.decoder_layers} is out of range")
        return generation, config
    except ValidationError as error:
        raise ValueError(f"{path}: {first_fault(error)}; {ADVICE}") from None
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise ValueError(f"{path}: cannot be read: {_one_line(error)}; {ADVICE}") from None


def read_size(config: dict[str, Any], name: str, folder: Path) -> int:
    """A size that `write_generator` was given.

    Raises:
        ValueError: it is missing, no whole number or out of range.
    """
    size = config.get(name)
    if type(size) is not int or not 0 < size <= MOST:
        raise ValueError(
            f"{folder / 'config.json'}: {name}: {quoted(str(size))} is no size; {ADVICE}"
        )
    return size


def read_weights(build: Callable[[], B], folder: Path) -> B:
    """The branch that `build` makes, with its weights.

    Raises:
        ValueError: they are missing or do not fit.
    """
    path = folder / WEIGHTS
    shapes = read_shapes(path, ADVICE)
    with torch.device("meta"):  # takes no memory, whatever the sizes
        unfit = misfit(build(), shapes)
    if unfit is not None:
        raise ValueError(f"{path}: cannot be read: {unfit}; {ADVICE}")
    branch = build()
    fill(branch, path, ADVICE)
    return branch


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:300]
