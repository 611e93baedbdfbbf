"""Architectures of published models, so that a plan needs none of their files."""

from collections.abc import Callable

from transformers import (
    AutoConfig,
    CLIPTextConfig,
    CLIPVisionConfig,
    PretrainedConfig,
    SiglipVisionConfig,
    T5Config,
)

from ubg.models.contract import TowerConfigs
from ubg.params import Scale

Notes = list[str]


def tower_configs(system: str, params: Scale) -> tuple[TowerConfigs, Notes]:
    """The pretrained towers of `system` in the form that `build_model` takes, and what to know.

    Read from the local cache or folder where the files are, from the table below where not; towers
    that the params build from sizes are left out.

    Raises:
        ValueError: a name is in neither.
    """
    towers, notes = params.towers, Notes()
    clip, siglip = system in ("irra", "phase1"), system in ("phase2", "phase3", "phase4")
    named = [
        ("vision", "vision_config", towers.clip.pretrained, CLIP_VISION, clip),
        ("vision", "vision_config", towers.siglip.pretrained, SIGLIP_VISION, siglip),
        ("text", "text_config", towers.clip_text.pretrained, CLIP_TEXT, system == "irra"),
        ("text", "", towers.t5.pretrained, T5, system != "irra"),
    ]
    configs = {
        tower: _config(source, part, published, notes)
        for tower, part, source, published, used in named
        if used and source is not None
    }
    if system in ("phase3", "phase4") and "vision" in configs:
        configs["vision"].vision_use_head = False  # the shared encoder takes the tokens
    return {tower: config.to_dict() for tower, config in configs.items()}, notes


def _config(
    source: str, part: str, published: dict[str, Callable[[], PretrainedConfig]], notes: Notes
) -> PretrainedConfig:
    try:
        config = AutoConfig.from_pretrained(source, local_files_only=True)
    except (OSError, ValueError):
        if source not in published:
            raise ValueError(
                f"{source}: is not on this machine, and its sizes are not known here; download it "
                f"first, or plan with one of {', '.join(sorted(published))}"
            ) from None
        notes.append(f"{source}: not on this machine; its published sizes are used")
        return published[source]()
    return getattr(config, part, config)


def _clip_vision(width: int, layers: int, patch: int) -> Callable[[], CLIPVisionConfig]:
    return lambda: CLIPVisionConfig(
        hidden_size=width,
        num_hidden_layers=layers,
        num_attention_heads=width // 64,
        intermediate_size=4 * width,
        patch_size=patch,
        image_size=224,
    )


def _clip_text(width: int) -> Callable[[], CLIPTextConfig]:
    return lambda: CLIPTextConfig(
        hidden_size=width,
        num_hidden_layers=12,
        num_attention_heads=width // 64,
        intermediate_size=4 * width,
        max_position_embeddings=77,
    )


def _siglip_vision(width: int, layers: int, image: int) -> Callable[[], SiglipVisionConfig]:
    return lambda: SiglipVisionConfig(
        hidden_size=width,
        num_hidden_layers=layers,
        num_attention_heads=width // 64,
        intermediate_size=4 * width,
        patch_size=16,
        image_size=image,
    )


def _t5(width: int, layers: int, heads: int, mlp_width: int, kind: str) -> Callable[[], T5Config]:
    return lambda: T5Config(
        vocab_size=32128,
        d_model=width,
        d_kv=64,
        d_ff=mlp_width,
        num_layers=layers,
        num_heads=heads,
        feed_forward_proj=kind,
    )


CLIP_VISION = {
    "openai/clip-vit-base-patch32": _clip_vision(768, 12, 32),
    "openai/clip-vit-base-patch16": _clip_vision(768, 12, 16),
    "openai/clip-vit-large-patch14": _clip_vision(1024, 24, 14),
}
CLIP_TEXT = {
    "openai/clip-vit-base-patch32": _clip_text(512),
    "openai/clip-vit-base-patch16": _clip_text(512),
    "openai/clip-vit-large-patch14": _clip_text(768),
}
SIGLIP_VISION = {
    "google/siglip-base-patch16-224": _siglip_vision(768, 12, 224),
    "google/siglip-base-patch16-256": _siglip_vision(768, 12, 256),
    "google/siglip-large-patch16-256": _siglip_vision(1024, 24, 256),
    "google/siglip2-base-patch16-224": _siglip_vision(768, 12, 224),
    "google/siglip2-base-patch16-256": _siglip_vision(768, 12, 256),
    "google/siglip2-large-patch16-256": _siglip_vision(1024, 24, 256),
}
T5 = {
    "google-t5/t5-small": _t5(512, 6, 8, 2048, "relu"),
    "google-t5/t5-base": _t5(768, 12, 12, 3072, "relu"),
    "google-t5/t5-large": _t5(1024, 24, 16, 4096, "relu"),
    "google/t5-v1_1-base": _t5(768, 12, 12, 2048, "gated-gelu"),
    "google/t5-v1_1-large": _t5(1024, 24, 16, 2816, "gated-gelu"),
    "google/flan-t5-base": _t5(768, 12, 12, 2048, "gated-gelu"),
    "google/flan-t5-large": _t5(1024, 24, 16, 2816, "gated-gelu"),
}
