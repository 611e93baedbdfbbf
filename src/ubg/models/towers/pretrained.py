"""Loading of pretrained towers: everything asked for is found, or one clear error."""

from typing import Literal, TypeVar

from transformers import AutoConfig, PretrainedConfig, PreTrainedModel

M = TypeVar("M", bound=PreTrainedModel)


def load_pretrained(model_class: type[M], source: str, config: PretrainedConfig | None = None) -> M:
    """A transformers model in float32 from a hub name or a local folder.

    Weights are read from safetensors, or from a pickle-free `weights_only` load. Keys of other
    parts of the checkpoint (its text tower, its decoder) are left alone.

    Raises:
        ValueError: `source` cannot be read, or lacks a weight of the model; the weight is named.
    """
    try:
        model, info = model_class.from_pretrained(
            source,
            config=config,
            output_loading_info=True,
            dtype="float32",
        )
    except (OSError, RuntimeError) as error:
        reason = str(error).strip().splitlines()[0]
        raise ValueError(
            f"{source}: cannot be loaded as {model_class.__name__}: {reason}; "
            "give the name of a model on the hub or a folder with its files"
        ) from error
    missing = sorted(info["missing_keys"])
    if missing:
        raise ValueError(
            f"{source}: {len(missing)} weights of {model_class.__name__} are not in the "
            f"checkpoint, the first is {missing[0]!r}; is it a model of another kind?"
        )
    return model


def read_config(source: str) -> PretrainedConfig:
    """The architecture of a transformers model by hub name or local folder.

    Raises:
        ValueError: there is none.
    """
    try:
        return AutoConfig.from_pretrained(source)
    except (OSError, ValueError) as error:
        reason = str(error).strip().splitlines()[0]
        raise ValueError(
            f"{source}: has no readable config: {reason}; "
            "give the name of a model on the hub or a folder with its files"
        ) from error


def tower_config(
    source: str, family: Literal["clip", "siglip"], part: Literal["vision", "text"]
) -> PretrainedConfig:
    """The architecture of one tower, from a checkpoint of both or of that tower alone.

    Raises:
        ValueError: there is none, or it is a model of another family.
    """
    config = read_config(source)
    if config.model_type == f"{family}_{part}_model":
        return config
    if config.model_type != family:
        raise ValueError(f"{source}: is a {config.model_type!r} model; this tower takes {family!r}")
    tower = getattr(config, f"{part}_config")
    if family == "clip":
        tower.projection_dim = config.projection_dim  # what the whole model goes by
    return tower
