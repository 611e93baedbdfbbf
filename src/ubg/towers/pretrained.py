"""Loading of pretrained towers: everything asked for is found, or one clear error.

A source is a name on the Hugging Face hub, a local folder, or a file of weights in such a folder.
Checkpoints of transformers and of open_clip (`hf-hub:` before a name on the hub, an
`open_clip_config.json` in a folder) end in the same modules.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeVar

import torch
from torch import Tensor
from transformers import AutoConfig, PretrainedConfig, PreTrainedModel
from transformers import logging as transformers_logging

from ubg.data.images.normalisation import Normalisation
from ubg.runtime.hub import HUB_PREFIX, find_file, hub_answers, offline_recipe
from ubg.runtime.opening import Kind, check_file, read_json
from ubg.runtime.weights import first_not_finite
from ubg.towers import open_clip
from ubg.towers.sources import read_state_dict, reason

M = TypeVar("M", bound=PreTrainedModel)
Family = Literal["clip", "siglip"]
Part = Literal["vision", "text"]

# Weights of a checkpoint that are no part of the tower: the other tower, the projections where the
# tower is built without, and what OpenAI's own files say of sizes.
_BESIDE: dict[Part, tuple[str, ...]] = {
    "vision": ("text_model.", "text."),
    "text": ("vision_model.",),
}
_BESIDE_BOTH = (
    "visual_projection.weight",
    "text_projection.weight",
    "logit_scale",
    "logit_bias",
    "input_resolution",
    "context_length",
    "vocab_size",
)
_BESIDE_ENCODER = ("decoder.", "model.decoder.", "lm_head.")
_BESIDE_BERT = ("pooler.", "bert.pooler.", "cls.")  # of the next sentence and of masked words


def load_tower(
    model_class: type[M],
    source: str,
    family: Family,
    part: Part,
    architecture: str | None = None,
) -> M:
    """One tower of a CLIP or SigLIP checkpoint, in float32.

    The config of a vision tower has the checkpoint's pixel mean and standard deviation as
    `image_mean` and `image_std`.

    Args:
        model_class: of transformers, with or without the projection.
        source: a hub name, a folder or a file.
        family: of the checkpoint.
        part: the tower.
        architecture: a model of open_clip, for weights that say nothing of themselves.

    Raises:
        ValueError: `source` cannot be read, is a model of another kind, names no normalisation,
            lacks a weight of the tower or has one that is no part of it; the weight is named.
    """
    folder, state, of_open_clip = open_checkpoint(source, architecture)
    if of_open_clip:
        settings, images = open_clip.read_settings(folder, architecture)
        config = open_clip.tower_config(settings, family, part, source)
        state = open_clip.convert(state or open_clip.read_weights(folder), family)
        mean, std = images.get("mean"), images.get("std")
    else:
        config = tower_config(read_config(folder), family, part, source)
        mean, std = _processor_normalisation(folder) if part == "vision" else (None, None)
    if part == "vision":
        config.image_mean, config.image_std = _three(mean, source), _three(std, source)
    return _load(model_class, source, folder, config, state, _BESIDE[part] + _BESIDE_BOTH)


def load_encoder(model_class: type[M], source: str, config: PretrainedConfig) -> M:
    """The encoder of a text-to-text model in float32; its decoder is left alone.

    Raises:
        ValueError: as `load_tower`.
    """
    folder, state = _open(source)
    return _load(model_class, source, folder, config, state, _BESIDE_ENCODER)


def load_bert(model_class: type[M], source: str, config: PretrainedConfig) -> M:
    """BERT in float32 without the heads that it was trained by.

    Raises:
        ValueError: as `load_tower`.
    """
    folder, state = _open(source)
    return _load(model_class, source, folder, config, state, _BESIDE_BERT)


def read_config(source: str) -> PretrainedConfig:
    """The architecture of a transformers model by hub name, folder or file of weights.

    Raises:
        ValueError: there is none.
    """
    folder = str(Path(source).parent) if Path(source).is_file() else source
    offline = not Path(folder).is_dir() and not hub_answers()
    try:
        if (path := Path(folder) / "config.json").exists():
            check_file(path, Kind.CONFIG)
        return AutoConfig.from_pretrained(folder, trust_remote_code=False, local_files_only=offline)
    except Exception as error:  # the file is from outside, and each type of config has checks
        if offline and isinstance(error, OSError):
            raise ValueError(
                f"{source}: has no readable config on this machine, and the hub cannot be reached; "
                f"see the path, or {offline_recipe(folder)}"
            ) from error
        raise ValueError(
            f"{source}: has no readable config: {reason(error)}; "
            "give the name of a model on the hub or a folder with its files"
        ) from error


def normalisation_of(config: PretrainedConfig, default: Normalisation) -> Normalisation:
    """What the images of a tower are normalised by: its checkpoint's own, or the family's."""
    if not hasattr(config, "image_mean"):
        return default
    return Normalisation(tuple(config.image_mean), tuple(config.image_std))


class Checkpoint(NamedTuple):
    """A checkpoint of CLIP or SigLIP, found but not taken apart.

    Attributes:
        folder: or the name on the hub.
        state: the weights, where the source is their file.
        of_open_clip: whether settings and names of weights are open_clip's, not transformers'.
    """

    folder: str
    state: dict[str, Tensor] | None
    of_open_clip: bool


def open_checkpoint(source: str, architecture: str | None) -> Checkpoint:
    """What is at a hub name, a folder or a file of weights, and in which library's terms.

    Raises:
        ValueError: the file cannot be read.
    """
    folder, state = _open(source)
    name = folder.removeprefix(HUB_PREFIX)
    if architecture is not None or name != folder:
        of_open_clip = True
    elif state is None:
        of_open_clip = open_clip.is_open_clip(folder)
    else:
        of_open_clip = any(weight.startswith("visual.") for weight in state)
    return Checkpoint(name, state, of_open_clip)


def tower_config(
    config: PretrainedConfig, family: Family, part: Part, source: str
) -> PretrainedConfig:
    """The config of one tower, taken from the config of a whole transformers model.

    Raises:
        ValueError: it is a model of another kind.
    """
    if config.model_type == f"{family}_{part}_model":
        return config
    if config.model_type == "siglip2":
        raise ValueError(
            f"{source}: is a SigLIP 2 of variable resolution (NaFlex), which this tower is not; "
            "give one of fixed resolution, such as google/siglip2-base-patch16-256"
        )
    if config.model_type != family:
        raise ValueError(
            f"{source}: is a {config.model_type!r} model, and this tower takes {family!r}; write "
            f"{HUB_PREFIX} before the hub name of an open_clip checkpoint"
        )
    tower = getattr(config, f"{part}_config")
    if family == "clip":
        tower.projection_dim = config.projection_dim  # the one that the whole model goes by
    return tower


def _open(source: str) -> tuple[str, dict[str, Tensor] | None]:
    """A folder or hub name, and the weights where `source` is their file."""
    path = Path(source)
    return (str(path.parent), read_state_dict(path)) if path.is_file() else (source, None)


def _processor_normalisation(source: str) -> tuple[Any, Any]:
    """Mean and deviation that the checkpoint of transformers names, or None twice."""
    for name in ("preprocessor_config.json", "processor_config.json"):
        path = find_file(source, name)
        if path is not None:
            values = read_json(path)
            inner = values.get("image_processor")
            values = inner if isinstance(inner, dict) else values
            return values.get("image_mean"), values.get("image_std")
    return None, None


def _three(values: Any, source: str) -> list[float]:
    if values is None:
        raise ValueError(
            f"{source}: does not say by what mean and deviation its images are normalised; put "
            "its preprocessor_config.json there, or the open_clip_config.json of open_clip's model"
        )
    if (
        not isinstance(values, list)
        or len(values) != 3
        or not all(type(value) in (int, float) and 0 < value < 256 for value in values)
    ):
        found = repr(values)[:80]
        raise ValueError(
            f"{source}: names {found} as mean or deviation of its images; correct "
            "its preprocessor_config.json or open_clip_config.json to three positive numbers"
        )
    return values


def _load(
    model_class: type[M],
    source: str,
    folder: str,
    config: PretrainedConfig,
    state: dict[str, Tensor] | None,
    beside: tuple[str, ...],
) -> M:
    try:
        with _no_report():
            model, info = model_class.from_pretrained(
                folder if state is None else None,
                config=config,
                state_dict=state,
                output_loading_info=True,
                ignore_mismatched_sizes=True,  # refused below, by name
                attn_implementation="eager",  # a config may name code to fetch
                dtype="float32",
            )
    except Exception as error:  # the files are from outside, and each format fails in its own way
        raise ValueError(
            f"{source}: cannot be loaded as {model_class.__name__}: {reason(error)}; "
            "give the name of a model on the hub, a folder with its files or a file of weights"
        ) from error
    missing = sorted(info["missing_keys"])
    if missing:
        raise ValueError(
            f"{source}: {len(missing)} weights of {model_class.__name__} are not in the "
            f"checkpoint, the first is {missing[0]!r}; is it a model of another kind?"
        )
    mismatched = sorted(info["mismatched_keys"])
    if mismatched:
        name, found, expected = mismatched[0]
        raise ValueError(
            f"{source}: {name!r} is of shape {tuple(found)} and not {tuple(expected)}; "
            "does the config belong to these weights?"
        )
    unknown = [
        name
        for name in sorted(info["unexpected_keys"])
        if not name.startswith(beside) and not name.endswith(".position_ids")
    ]
    if unknown:
        raise ValueError(
            f"{source}: {len(unknown)} weights are no part of {model_class.__name__}, the first "
            f"is {unknown[0]!r}; is it a model of another kind?"
        )
    if (name := first_not_finite(model.state_dict())) is not None:
        raise ValueError(f"{source}: weight {name!r} is not finite; fetch the file again")
    # A view, such as the queries in a joined QKV matrix, would keep all of it and refuse saving.
    for weight in model.parameters():
        weight.data = weight.detach().clone(memory_format=torch.contiguous_format)
    return model


@contextmanager
def _no_report() -> Iterator[None]:
    """Silence transformers' report of unused weights; those that matter are errors here."""
    verbosity = transformers_logging.get_verbosity()
    transformers_logging.set_verbosity_error()
    try:
        yield
    finally:
        transformers_logging.set_verbosity(verbosity)
