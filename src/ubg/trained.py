"""A trained model on disk: `models/<system>/`, read back."""

from pathlib import Path
from typing import Annotated, Any

import torch
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ubg.data.text.tokenizers import load_tokenizer
from ubg.params import Tower
from ubg.retrieval.code_score import CodeScore
from ubg.runtime.faults import first_fault
from ubg.runtime.opening import read_json
from ubg.runtime.weights import fill, misfit, read_shapes
from ubg.systems import system_named
from ubg.systems.contract import Trained
from ubg.towers.saved import LARGEST, check_saved

ADVICE = (
    "the folder is no trained model, or one of another version of this code: "
    "train it again with `dvc repro`"
)


def load_trained(folder: str | Path, weights: str = "model.safetensors") -> Trained:
    """The trained system in `folder`.

    Args:
        folder: what a train stage wrote.
        weights: "model.safetensors" (selected by validation) or "last.safetensors".

    Raises:
        ValueError: a file is missing or does not fit.
    """
    folder = Path(folder)
    config = _read_config(folder)
    try:
        system = system_named(config.system)
        network = system.network.model_validate(config.network)
        if config.towers or any(isinstance(value, Tower) for _, value in network):
            check_saved(config.towers)
    except ValueError as error:
        raise ValueError(f"{folder / 'config.json'}: {_fault(error)}; {ADVICE}") from None
    tokenizer = load_tokenizer(folder / "tokenizer")
    if len(tokenizer) != config.vocab_size:
        raise ValueError(
            f"{folder / 'tokenizer'}: has {len(tokenizer)} tokens, and the model knows "
            f"{config.vocab_size}; {ADVICE}"
        )
    shapes = read_shapes(folder / weights, ADVICE)
    try:
        with torch.device("meta"):  # takes no memory, whatever the sizes
            unfit = misfit(system.load(network, config.vocab_size, config.towers), shapes)
        if unfit is None:
            model = system.load(network, config.vocab_size, config.towers)
    except Exception as error:  # towers of other sizes fail in many ways
        raise ValueError(f"{folder / 'config.json'}: {_fault(error)}; {ADVICE}") from None
    if unfit is not None:
        raise ValueError(f"{folder / weights}: does not fit the model: {unfit}; {ADVICE}")
    fill(model, folder / weights, ADVICE)
    return Trained(model.eval(), tokenizer, network)


def load_code_score(trained: Trained, folder: str | Path) -> CodeScore:
    """The second score of the trained system in `folder`, on the device of its model.

    Raises:
        ValueError: the system has none, or a file of it is missing or does not fit.
    """
    folder = Path(folder)
    name = _read_config(folder).system
    score = system_named(name).code_score(trained, folder)
    if score is None:
        raise ValueError(f"{name} has one score alone; load it without both_scores")
    return score


class _Config(BaseModel):
    """`config.json`."""

    model_config = ConfigDict(strict=True)
    system: Annotated[str, Field(max_length=80)]
    vocab_size: Annotated[int, Field(gt=0, le=LARGEST)]
    network: dict[str, Any]
    towers: dict[str, Any]


def _read_config(folder: Path) -> _Config:
    try:
        return _Config.model_validate(read_json(folder / "config.json"))
    except ValidationError as error:
        raise ValueError(f"{folder / 'config.json'}: {_fault(error)}; {ADVICE}") from None
    except (OSError, ValueError) as error:
        raise ValueError(
            f"{folder}: is no trained model: config.json cannot be read ({error}); "
            "train one with `dvc repro train_<system>`"
        ) from None


def _fault(error: Exception) -> str:
    if isinstance(error, ValidationError):
        return first_fault(error)
    return " ".join(str(error).split())[:300]
