"""Loading of pretrained towers: everything asked for is found, or one clear error."""

from typing import TypeVar

from transformers import PretrainedConfig, PreTrainedModel

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
