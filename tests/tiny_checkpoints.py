"""Tiny checkpoints as transformers and open_clip write them, every weight drawn at random."""

import json

import torch
from open_clip.model import CLIP, CustomTextCLIP
from safetensors.torch import save_file
from timm.models import register_model
from timm.models.vision_transformer import _create_vision_transformer
from transformers import (
    CLIPConfig,
    CLIPImageProcessor,
    CLIPModel,
    SiglipConfig,
    SiglipImageProcessor,
    SiglipModel,
)

OPEN_CLIP_WEIGHTS = "open_clip_model.safetensors"
WORDS, EOT, SIDE, PATCH, JOINT = 64, 63, 32, 8, 16
MEAN, STD = [0.1, 0.2, 0.3], [0.4, 0.5, 0.6]

COMMON = {"hidden_size": 32, "num_attention_heads": 2, "intermediate_size": 48}
VISION = COMMON | {"num_hidden_layers": 2, "patch_size": PATCH, "image_size": SIDE}
TEXT = COMMON | {"num_hidden_layers": 2, "vocab_size": WORDS}
CLIP_TEXT = TEXT | {"bos_token_id": EOT - 1, "eos_token_id": EOT}

OPEN_CLIP = {
    "embed_dim": JOINT,
    "quick_gelu": True,
    "vision_cfg": {
        "image_size": SIDE,
        "layers": 2,
        "width": 32,
        "head_width": 16,
        "patch_size": PATCH,
        "mlp_ratio": 1.5,
    },
    "text_cfg": {
        "context_length": 20,
        "vocab_size": WORDS,
        "width": 24,
        "heads": 2,
        "layers": 2,
    },
}
OPEN_SIGLIP = {
    "embed_dim": 32,
    "init_logit_bias": -10,
    "custom_text": True,
    "vision_cfg": {
        "image_size": SIDE,
        "timm_model_name": "vit_miniature_siglip",
        "timm_model_pretrained": False,
        "timm_pool": "map",
        "timm_proj": "none",
    },
    "text_cfg": {
        "context_length": 10,
        "vocab_size": WORDS,
        "width": 32,
        "heads": 2,
        "layers": 1,
        "no_causal_mask": True,
        "proj_bias": True,
        "pool_type": "last",
        "norm_kwargs": {"eps": 1e-6},
    },
}


def _siglip_trunk(**changes):
    sizes = {"img_size": SIDE, "patch_size": PATCH, "embed_dim": 32, "depth": 2, "num_heads": 2}
    settings = sizes | {"mlp_ratio": 1.5, "class_token": False, "global_pool": "map"}
    return _create_vision_transformer("vit_base_patch16_siglip_224", **settings | changes)


@register_model
def vit_miniature_siglip(pretrained=False, **kwargs):
    """As timm's SigLIP models of the first release, which are of the exact GELU."""
    return _siglip_trunk(pretrained=pretrained, **kwargs)


@register_model
def vit_miniature_siglip2(pretrained=False, **kwargs):
    """As those of timm's SigLIP 2 models that are of the approximate GELU."""
    return _siglip_trunk(pretrained=pretrained, act_layer="gelu_tanh", **kwargs)


def randomised(model):
    """Every weight drawn anew: what starts at zero or one would hide that it was left out."""
    with torch.no_grad():
        for weight in model.parameters():
            weight.normal_(0.1, 0.2)
    return model.eval()


def transformers_clip(folder):
    config = CLIPConfig(vision_config=VISION, text_config=CLIP_TEXT, projection_dim=JOINT)
    model = randomised(CLIPModel(config))
    model.save_pretrained(folder)
    CLIPImageProcessor().save_pretrained(folder)
    return model


def transformers_siglip(folder):
    model = randomised(SiglipModel(SiglipConfig(vision_config=VISION, text_config=TEXT)))
    model.save_pretrained(folder)
    SiglipImageProcessor().save_pretrained(folder)
    return model


def open_clip_model(settings):
    kind = CustomTextCLIP if settings.get("custom_text") else CLIP
    return randomised(kind(**{k: v for k, v in settings.items() if k != "custom_text"}))


def save_open_clip(folder, settings, state):
    """The files that open_clip puts on the hub, with normalisation of their own."""
    images = {"mean": MEAN, "std": STD, "interpolation": "bicubic"}
    values = {"model_cfg": settings, "preprocess_cfg": images}
    folder.mkdir(exist_ok=True)
    (folder / "open_clip_config.json").write_text(json.dumps(values))
    save_file(state, folder / OPEN_CLIP_WEIGHTS)


def captions(*lengths):
    """Ids as of a CLIP tokenizer, padded with EOT, and their mask."""
    mask = torch.arange(max(lengths)) < torch.tensor(lengths)[:, None]
    ids = torch.randint(0, EOT - 1, mask.shape, generator=torch.Generator().manual_seed(0))
    ends = torch.arange(max(lengths)) == torch.tensor(lengths)[:, None] - 1
    return torch.where(mask & ~ends, ids, EOT), mask.long()
