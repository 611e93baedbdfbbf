"""The architecture of a tower as a trained model keeps it: what of it is believed.

The dictionary is that of a config of transformers. Besides sizes it may name code to fetch, and
kinds of model that no tower here is.
"""

from typing import Any

KINDS = {
    "vision": ("clip_vision_model", "siglip_vision_model"),
    "text": ("bert", "clip_text_model", "t5", "t5gemma"),
}
MOST_LAYERS, LARGEST = 256, 2**20  # of any size: width, vocabulary, pixels
MOST_ENTRIES, LONGEST = 1024, 200
# Of no use to a tower that is built from sizes, and read by transformers as an order to load code.
_ORDERS = ("attn_implementation", "auto_map", "quantization_config", "experts_implementation")
_HARMLESS = (None, True, False, "sdpa", "eager")


def check_saved(configs: dict[str, Any]) -> None:
    """Refuse what does not describe all towers of a model by sizes within bounds.

    Args:
        configs: as `RetrievalModel.tower_configs` gave them and JSON kept them.

    Raises:
        ValueError: the entry is named.
    """
    if configs.keys() != KINDS.keys():
        raise ValueError(f"towers: must be {' and '.join(KINDS)}, and are {_shown(list(configs))}")
    for name, kinds in KINDS.items():
        if not isinstance(configs[name], dict):
            raise ValueError(f"towers.{name}: {_shown(configs[name])} is no object")
        if configs[name].get("model_type") not in kinds:
            kind = _shown(configs[name].get("model_type"))
            raise ValueError(f"towers.{name}.model_type: {kind} is none of {', '.join(kinds)}")
        _check(configs[name], f"towers.{name}")


def _check(values: dict[str, Any], where: str) -> None:
    if len(values) > MOST_ENTRIES:
        raise ValueError(f"{where}: has {len(values):,} entries")
    for name, value in values.items():
        key = f"{where}.{name[:80]}"
        if any(order in name for order in _ORDERS) and value not in _HARMLESS:
            raise ValueError(f"{key}: asks for code, which a trained model does not")
        if isinstance(value, dict):
            _check(value, key)
        elif isinstance(value, list):
            _check(dict(zip(map(str, range(len(value))), value, strict=True)), key)
        elif isinstance(value, str) and len(value) > LONGEST:
            raise ValueError(f"{key}: has {len(value):,} characters")
        elif isinstance(value, int) and abs(value) > (
            MOST_LAYERS if name.endswith("layers") else LARGEST
        ):
            raise ValueError(f"{key}: {value} is out of range")


def _shown(value: Any) -> str:
    return repr(value)[:80]
