"""Conversion of open_clip checkpoints to transformers: architectures and names of weights."""

import re
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn
from transformers import CLIPTextConfig, CLIPVisionConfig, PretrainedConfig, SiglipVisionConfig

from ubg.runtime.hub import find_file
from ubg.runtime.opening import read_json
from ubg.towers.sources import read_state_dict

CONFIG_NAME = "open_clip_config.json"
WEIGHT_NAMES = (
    "open_clip_model.safetensors",
    "open_clip_pytorch_model.safetensors",
    "open_clip_pytorch_model.bin",
    "open_clip_pytorch_model.pt",
)

# Settings of open_clip that the towers here have, or that change nothing in them. `patch_dropout`
# is for training alone.
_CLIP_VISION = {"layers", "width", "head_width", "mlp_ratio", "patch_size", "image_size"}
_CLIP_VISION |= {"patch_dropout", "output_tokens"}
_SIGLIP_VISION = {"image_size", "timm_model_name", "timm_model_pretrained", "timm_pool"}
_SIGLIP_VISION |= {"timm_proj", "patch_dropout", "output_tokens"}
_CLIP_TEXT = {"context_length", "vocab_size", "width", "heads", "layers", "mlp_ratio"}
_CLIP_TEXT |= {"output_tokens"}

_CLIP_NAMES = (
    (r"^visual\.class_embedding$", "vision_model.embeddings.class_embedding"),
    (r"^visual\.positional_embedding$", "vision_model.embeddings.position_embedding.weight"),
    (r"^visual\.conv1\.", "vision_model.embeddings.patch_embedding."),
    (r"^visual\.ln_pre\.", "vision_model.pre_layrnorm."),
    (r"^visual\.ln_post\.", "vision_model.post_layernorm."),
    (r"^visual\.proj$", "visual_projection.weight"),
    (r"^visual\.transformer\.resblocks\.", "vision_model.encoder.layers."),
    (r"^(text\.)?token_embedding\.", "text_model.embeddings.token_embedding."),
    (r"^(text\.)?positional_embedding$", "text_model.embeddings.position_embedding.weight"),
    (r"^(text\.)?ln_final\.", "text_model.final_layer_norm."),
    (r"^(text\.)?text_projection$", "text_projection.weight"),
    (r"^(text\.)?transformer\.resblocks\.", "text_model.encoder.layers."),
    (r"\.attn\.in_proj_", ".self_attn.qkv_proj."),
    (r"\.attn\.out_proj\.", ".self_attn.out_proj."),
    (r"\.ln_([12])\.", r".layer_norm\1."),
    (r"\.mlp\.c_fc\.", ".mlp.fc1."),
    (r"\.mlp\.c_proj\.", ".mlp.fc2."),
)
_SIGLIP_NAMES = (
    (r"^visual\.trunk\.patch_embed\.proj\.", "vision_model.embeddings.patch_embedding."),
    (r"^visual\.trunk\.pos_embed$", "vision_model.embeddings.position_embedding.weight"),
    (r"^visual\.trunk\.norm\.", "vision_model.post_layernorm."),
    (r"^visual\.trunk\.blocks\.", "vision_model.encoder.layers."),
    (r"^visual\.trunk\.attn_pool\.latent$", "vision_model.head.probe"),
    (r"^visual\.trunk\.attn_pool\.proj\.", "vision_model.head.attention.out_proj."),
    (r"^visual\.trunk\.attn_pool\.norm\.", "vision_model.head.layernorm."),
    (r"^visual\.trunk\.attn_pool\.mlp\.", "vision_model.head.mlp."),
    (r"\.attn\.qkv\.", ".self_attn.qkv_proj."),
    (r"\.attn\.proj\.", ".self_attn.out_proj."),
    (r"\.norm([12])\.", r".layer_norm\1."),
)


def is_open_clip(folder: str) -> bool:
    """Whether a local folder holds a checkpoint of open_clip, and none of transformers."""
    config = Path(folder) / "config.json"
    return (Path(folder) / CONFIG_NAME).is_file() and not (
        config.is_file() and "model_type" in read_json(config)
    )


def read_weights(source: str) -> dict[str, Tensor]:
    """The state dict in a folder or in a hub repository.

    Raises:
        ValueError: there is none under a name of open_clip, or it cannot be read.
    """
    for name in WEIGHT_NAMES:
        path = find_file(source, name)
        if path is not None:
            return read_state_dict(path)
    raise ValueError(
        f"{source}: holds none of {', '.join(WEIGHT_NAMES)}; give the path of the file itself"
    )


def read_settings(source: str, architecture: str | None) -> tuple[dict[str, Any], dict[str, Any]]:
    """The model's settings, and those of its images, which may be empty.

    Args:
        source: folder or hub repository with an `open_clip_config.json`.
        architecture: name of a model that open_clip knows, in place of that file. Its images are
            those of its published weights, or unknown where these differ.

    Raises:
        ValueError: there is no such model, or no such file.
    """
    if architecture is not None:
        from open_clip import get_model_config, list_models

        if architecture not in list_models():
            raise ValueError(
                f"architecture: open_clip knows no model {architecture!r}; "
                "give one of open_clip.list_models(), such as ViT-B-16-quickgelu"
            )
        return get_model_config(architecture), _published_images(architecture)
    path = find_file(source, CONFIG_NAME)
    if path is None:
        raise ValueError(
            f"{source}: holds no {CONFIG_NAME}; put it there, or name the model of open_clip in "
            "architecture, such as ViT-B-16-quickgelu for OpenAI's weights"
        )
    values = read_json(path)
    settings, images = values.get("model_cfg", values), values.get("preprocess_cfg", {})
    if not isinstance(settings, dict) or not isinstance(images, dict):
        raise ValueError(f"{path}: model_cfg and preprocess_cfg are not JSON objects; mend them")
    return settings, images


def tower_config(
    settings: dict[str, Any],
    family: Literal["clip", "siglip"],
    part: Literal["vision", "text"],
    source: str,
) -> PretrainedConfig:
    """The architecture of one tower in transformers' terms.

    Raises:
        ValueError: the settings are not a model's, or ask for what the tower has not.
    """
    try:
        if family == "siglip":
            return _siglip_vision(settings)
        return _clip_vision(settings) if part == "vision" else _clip_text(settings)
    except (AttributeError, KeyError, TypeError, ValueError, ZeroDivisionError) as error:
        raise ValueError(
            f"{source}: open_clip's settings are not those of a {family} {part} tower: {error}"
        ) from error


def convert(state: dict[str, Tensor], family: Literal["clip", "siglip"]) -> dict[str, Tensor]:
    """Weights under transformers' names; names that are no part of the family stay as they are."""
    names = _CLIP_NAMES if family == "clip" else _SIGLIP_NAMES
    converted = {}
    for name, value in _join_pooling(state).items():
        for pattern, replacement in names:
            name = re.sub(pattern, replacement, name)
        if ".qkv_proj." in name:
            for letter, part in zip("qkv", torch.atleast_1d(value).chunk(3), strict=False):
                converted[name.replace("qkv_proj", f"{letter}_proj")] = part
        elif name in ("visual_projection.weight", "text_projection.weight"):
            converted[name] = value.T
        elif name.endswith("position_embedding.weight"):
            converted[name] = value.squeeze(0)
        else:
            converted[name] = value
    return converted


def _published_images(architecture: str) -> dict[str, Any]:
    from open_clip import get_pretrained_cfg, list_pretrained_tags_by_model

    tags = list_pretrained_tags_by_model(architecture)
    published = [get_pretrained_cfg(architecture, tag) for tag in tags]
    images = [{name: list(weights[name]) for name in ("mean", "std")} for weights in published]
    return images[0] if images and all(one == images[0] for one in images) else {}


def _join_pooling(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Queries, keys and values of SigLIP's pooling in one matrix, as in PyTorch's attention."""
    joined = dict(state)
    pool = "visual.trunk.attn_pool."
    for kind in ("weight", "bias"):
        if f"{pool}q.{kind}" in joined and f"{pool}kv.{kind}" in joined:
            parts = joined.pop(f"{pool}q.{kind}"), joined.pop(f"{pool}kv.{kind}")
            joined[f"vision_model.head.attention.in_proj_{kind}"] = torch.cat(parts)
    return joined


def _clip_vision(settings: dict[str, Any]) -> CLIPVisionConfig:
    from open_clip import CLIPVisionCfg

    vision = _check(CLIPVisionCfg(**settings["vision_cfg"]), _CLIP_VISION)
    return CLIPVisionConfig(
        hidden_size=vision.width,
        num_hidden_layers=vision.layers,
        num_attention_heads=vision.width // vision.head_width,
        intermediate_size=int(vision.width * vision.mlp_ratio),
        patch_size=vision.patch_size,
        image_size=vision.image_size,
        hidden_act=_clip_activation(settings),
        projection_dim=settings["embed_dim"],
    )


def _clip_text(settings: dict[str, Any]) -> CLIPTextConfig:
    from open_clip import CLIPTextCfg

    text = _check(CLIPTextCfg(**settings["text_cfg"]), _CLIP_TEXT)
    return CLIPTextConfig(
        vocab_size=text.vocab_size,
        hidden_size=text.width,
        num_hidden_layers=text.layers,
        num_attention_heads=text.heads,
        intermediate_size=int(text.width * text.mlp_ratio),
        max_position_embeddings=text.context_length,
        hidden_act=_clip_activation(settings),
        projection_dim=settings["embed_dim"],
        bos_token_id=text.vocab_size - 2,
        eos_token_id=text.vocab_size - 1,
    )


def _siglip_vision(settings: dict[str, Any]) -> SiglipVisionConfig:
    import timm
    from open_clip import CLIPVisionCfg
    from timm.layers import GELUTanh
    from timm.models.vision_transformer import VisionTransformer

    vision = _check(CLIPVisionCfg(**settings["vision_cfg"]), _SIGLIP_VISION)
    if vision.timm_model_name is None or not timm.is_model(vision.timm_model_name):
        raise ValueError(f"vision_cfg.timm_model_name is {vision.timm_model_name!r}")
    # Only timm's code knows its sizes; on the meta device the model takes no memory.
    with torch.device("meta"):
        trunk = timm.create_model(vision.timm_model_name, pretrained=False, num_classes=0)
    if not isinstance(trunk, VisionTransformer) or (vision.timm_pool, vision.timm_proj) != (
        "map",
        "none",
    ):
        raise ValueError(
            f"{vision.timm_model_name} of {vision.image_size} pixels, pooled by "
            f"{vision.timm_pool!r}, is no SigLIP of fixed resolution"
        )
    block: Any = trunk.blocks[0]
    return SiglipVisionConfig(
        hidden_size=trunk.embed_dim,
        num_hidden_layers=len(trunk.blocks),
        num_attention_heads=block.attn.num_heads,
        intermediate_size=block.mlp.fc1.out_features,
        patch_size=trunk.patch_embed.patch_size[0],
        image_size=trunk.patch_embed.img_size[0],
        hidden_act={nn.GELU: "gelu", GELUTanh: "gelu_pytorch_tanh"}[type(block.mlp.act)],
        layer_norm_eps=trunk.norm.eps,
    )


def _clip_activation(settings: dict[str, Any]) -> str:
    return "quick_gelu" if settings.get("quick_gelu", False) else "gelu"


def _check(settings: Any, supported: set[str]) -> Any:
    """Refuse a setting that is not `supported` unless it has open_clip's default."""
    defaults = asdict(type(settings)())
    for name, value in asdict(settings).items():
        if name not in supported and value != defaults[name]:
            raise ValueError(f"{name} is {value!r}, which it has not")
    for name in ("layers", "image_size"):
        if not isinstance(getattr(settings, name, 0), int):
            raise ValueError(f"{name} is {getattr(settings, name)!r} and not a number")
    return settings
