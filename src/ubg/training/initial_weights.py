"""Training that starts from weights of an earlier one, whatever data that had."""

from pathlib import Path

import torch
from torch import nn

from ubg.data.text.tokenizers import load_tokenizer
from ubg.runtime.opening import read_json
from ubg.towers.sources import read_state_dict
from ubg.training.task import Task


def load_initial_weights(task: Task, source: Path) -> list[str]:
    """Fill the model of `task` with the weights in `source`, in place.

    Classifiers of identities that are of another size stay as they are, as does what trains beside
    the encoders and is not in `source`. All else must fit by name and shape.

    Args:
        task: whose model has been built.
        source: a folder that a train stage wrote, whose selected weights are read; or a file of
            weights under the names of this project or of the system's published code.

    Returns:
        What there is to tell, a line each.

    Raises:
        ValueError: `source` cannot be read, or a weight or the tokenizer does not fit.
    """
    file = source
    if source.is_dir():
        _check_tokenizer(task, source)
        file = source / "model.safetensors"
    if not file.is_file():
        raise ValueError(
            f"initial_weights: {file} does not exist; give a trained model's folder or a file of "
            "weights, outside of models/, from where DVC removes a model before it is trained anew"
        )
    model = task.model
    found = model.own_names(read_state_dict(file))
    encoder = model.saved_parts()["model"]
    target = encoder if found.keys() <= encoder.state_dict().keys() else model
    expected = target.state_dict()

    left_out = {name for name in found.keys() - expected.keys() if _is_off(target, name)}
    if unknown := sorted(found.keys() - expected.keys() - left_out):
        raise ValueError(
            f"initial_weights: {file}: {len(unknown)} weights are no part of the model, the first "
            f"is {unknown[0]!r}; give weights of a model with the same towers and sizes"
        )
    resized = {
        name for name in found.keys() & expected.keys() if found[name].shape != expected[name].shape
    }
    at_random = {name for name in resized if name.startswith(model.per_identity)}
    if unfit := sorted(resized - at_random):
        shapes = [tuple(weights[unfit[0]].shape) for weights in (found, expected)]
        raise ValueError(
            f"initial_weights: {file}: {len(unfit)} weights do not fit, the first is {unfit[0]!r}, "
            f"of shape {shapes[0]} and not {shapes[1]}; give the sizes that it was trained with"
        )
    given = {expected[name].data_ptr() for name in found.keys() & expected.keys()}
    retrieval = {weight.data_ptr() for weight in encoder.state_dict().values()}
    missing = {name for name in expected if expected[name].data_ptr() not in given}
    if lacking := sorted(name for name in missing if expected[name].data_ptr() in retrieval):
        raise ValueError(
            f"initial_weights: {file}: {len(lacking)} weights of the encoders are not in it, the "
            f"first is {lacking[0]!r}; give weights of a model with the same towers"
        )
    with torch.no_grad():
        for name in found.keys() & expected.keys() - at_random:
            expected[name].copy_(found[name])
    started = {
        name for name, weight in model.state_dict().items() if weight.data_ptr() not in given
    }
    return [
        f"starting from {file}",
        *_told("at random, as it is not in there", started),
        *_told("at random, as it is of another number of identities", at_random),
        *_told("not used, as the params turn it off", left_out),
    ]


def _check_tokenizer(task: Task, folder: Path) -> None:
    """Ids of one tokenizer mean other words in another."""
    try:
        read_json(folder / "config.json")["system"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f"initial_weights: {folder}: is no trained model: config.json cannot be read "
            f"({error}); give the folder that a train stage wrote, or a file of weights"
        ) from None
    tokenizer = folder / "tokenizer"
    if load_tokenizer(tokenizer).get_vocab() != task.tokenizer.get_vocab():
        raise ValueError(
            f"initial_weights: {folder}: was trained with another tokenizer; set "
            f"tokenizer.pretrained to {tokenizer} and tokenizer.vocab_size to null"
        )


def _is_off(model: nn.Module, name: str) -> bool:
    """Whether a weight belongs to a part that the model can have and was built without."""
    part: object = model
    for step in name.split("."):
        if not hasattr(part, step):
            return False
        part = getattr(part, step)
        if part is None:
            return True
    return False


def _told(why: str, names: set[str]) -> list[str]:
    """The modules of some weights, twenty at most."""
    modules = sorted({name.rpartition(".")[0] or name for name in names})
    shown = ", ".join(modules[:20]) + (f" and {len(modules) - 20} more" if modules[20:] else "")
    return [f"  {why}: {shown}"] if modules else []
