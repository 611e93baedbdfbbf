"""Architectures of published models, so that a plan needs none of their files."""

from collections.abc import Callable
from pathlib import Path

from transformers import (
    AutoConfig,
    CLIPTextConfig,
    CLIPVisionConfig,
    PretrainedConfig,
    SiglipVisionConfig,
    T5Config,
)

from ubg.models.contract import TowerConfigs
from ubg.models.towers import open_clip
from ubg.models.towers.pretrained import (
    HUB_PREFIX,
    Family,
    Part,
    open_checkpoint,
    tower_config,
)
from ubg.params import ClipTower, Scale

Notes = list[str]
Published = dict[str, Callable[[], PretrainedConfig]]


def tower_configs(system: str, params: Scale) -> tuple[TowerConfigs, Notes]:
    """The pretrained towers of `system` in the form that `build_model` takes, and what to know.

    Read from the local cache or folder where the files are, from the tables below or those of
    open_clip where not; towers that the params build from sizes are left out.

    Raises:
        ValueError: a name is in neither.
    """
    towers, notes = params.towers, Notes()
    if system in ("irra", "phase1"):
        vision = _clip_or_siglip(towers.clip, "clip", "vision", CLIP_VISION, notes)
    else:
        vision = _clip_or_siglip(towers.siglip, "siglip", "vision", SIGLIP_VISION, notes)
    if system == "irra":
        text = _clip_or_siglip(towers.clip_text, "clip", "text", CLIP_TEXT, notes)
    else:
        t5 = towers.t5.pretrained
        text = None if t5 is None else _of_transformers(t5, T5, notes)
    if vision is not None and system in ("phase3", "phase4"):
        vision.vision_use_head = False  # the shared encoder takes the tokens
    configs = {"vision": vision, "text": text}
    return {tower: config.to_dict() for tower, config in configs.items() if config}, notes


def _clip_or_siglip(
    tower: ClipTower, family: Family, part: Part, published: Published, notes: Notes
) -> PretrainedConfig | None:
    source = tower.pretrained
    if source is None:
        return None
    folder, _, of_open_clip = open_checkpoint(source, tower.architecture)
    if not of_open_clip:
        return tower_config(_of_transformers(source, published, notes), family, part, source)
    architecture = tower.architecture
    if architecture is None and source.startswith(HUB_PREFIX):
        architecture = _known_to_open_clip(folder, notes)
    settings, _ = open_clip.read_settings(folder, architecture)
    return open_clip.tower_config(settings, family, part, source)


def _known_to_open_clip(name: str, notes: Notes) -> str | None:
    """What a checkpoint on the hub is called in open_clip; None for the hub to be asked."""
    from open_clip import list_models

    architecture = OPEN_CLIP.get(name, name.rpartition("/")[2])
    if architecture not in list_models():
        return None
    notes.append(f"{HUB_PREFIX}{name}: the sizes are those of open_clip's {architecture}")
    return architecture


def _of_transformers(source: str, published: Published, notes: Notes) -> PretrainedConfig:
    folder = str(Path(source).parent) if Path(source).is_file() else source
    try:
        return AutoConfig.from_pretrained(folder, local_files_only=True)
    except (OSError, ValueError):
        if source not in published:
            raise ValueError(
                f"{source}: is not on this machine, and its sizes are not known here; download it "
                f"first, or plan with one of {', '.join(sorted(published))}"
            ) from None
        notes.append(f"{source}: not on this machine; its published sizes are used")
        return published[source]()


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
# Checkpoints on the hub that are not called as their model is in open_clip.
OPEN_CLIP = {
    "timm/vit_base_patch32_clip_224.openai": "ViT-B-32-quickgelu",
    "timm/vit_base_patch16_clip_224.openai": "ViT-B-16-quickgelu",
    "timm/vit_large_patch14_clip_224.openai": "ViT-L-14-quickgelu",
}
