"""Sections of the params for tests: each value that a test does not care about has one here."""

from typing import Any

from ubg.params import (
    Augmentation,
    BertTower,
    ClipMer,
    ClipTextTower,
    Generation,
    Image,
    Irra,
    Losses,
    Optimiser,
    SharedEncoder,
    SynthPedes,
    T2iReid,
    TextTower,
    Training,
    VisionTower,
    VqganDiscriminator,
    VqganFit,
)

SIZES = {"pretrained": None, "width": None, "layers": None, "heads": None, "mlp_width": None}


def synthpedes(**changes: Any) -> SynthPedes:
    """Few pedestrians, with one picture of each modality beside RGB."""
    modalities = {"least_images": 1, "most_images": 1, "missing": 0, "test_queries_per_kind": 4}
    few = {"train_identities": 4, "val_identities": 2, "test_identities": 3}
    return SynthPedes(
        **{
            "seed": 11,
            **few,
            "images_per_identity": 2,
            "modalities": modalities,
            "outfits": None,
            **changes,
        }
    )


def image(**changes: Any) -> Image:
    return Image(**{"max_broken": 0, **changes})


def vision_tower(**changes: Any) -> VisionTower:
    patches = {"patch_size": 16, "stride": None, "resize": "bilinear", "conv_stem": False}
    return VisionTower(**{"architecture": None, **SIZES, **patches, **changes})


def clip_text_tower(**changes: Any) -> ClipTextTower:
    return ClipTextTower(**{"architecture": None, **SIZES, "vocab_size": 49408, **changes})


def text_tower(**changes: Any) -> TextTower:
    return TextTower(
        **{**SIZES, "dropout": 0.1, "position_bias": "random", "position_bias_std": 2.0, **changes}
    )


def bert_tower(**changes: Any) -> BertTower:
    return BertTower(**{**SIZES, "dropout": 0.0, **changes})


def shared_encoder(**changes: Any) -> SharedEncoder:
    defaults = {"pooling": "mean", "cls_token": False, "image_positions": "1d"}
    return SharedEncoder(**{**defaults, "position_bias_std": 2.0, **changes})


def losses(**changes: Any) -> Losses:
    return Losses(**{"itc": None, **changes})


def irra(losses: dict[str, float], **changes: Any) -> Irra:
    off = {"sdm": None, "itc": None, "cmpm": None, "id": None, "mlm": None}
    defaults = {
        "soft_labels": None,
        "contrast_on": "clean",
        "learn_temperature": False,
        "mask_ratio": 0.15,
        "guess_among": "all",
        "interaction_layers": 4,
        "interaction_heads": 8,
        "head_activation": "gelu",
        "optimiser": {
            "eps": 1e-8,
            "clip_norm": 1.0,
            "interaction": {"weight": 5.0, "bias": 10.0},
            "norms": {"weight": 5.0, "bias": 10.0},
            "heads": {"weight": 5.0, "bias": 10.0},
        },
    }
    return Irra.model_validate({"losses": off | losses, **defaults, **changes})


def clip_mer(**changes: Any) -> ClipMer:
    defaults = {
        "adapters": {"rank": 2, "alpha": 1.0, "layers": "all", "products": "all", "text": False},
        "freeze_trunk": False,
        "own": "conv",
        "patch_noise": 0.0,
        "fusion": {"layers": 1, "heads": 2},
        "combinations_per_step": 11,
        "losses": {"sdm": 1.0, "itc": None, "id": 1.0, "norm": None},
        "norm_band": (0.0, 10.0),
        "temperature": 0.05,
        "optimiser": {
            "trunk": {"weight": 1.0, "bias": 1.0},
            "adapters": {"weight": 2.0, "bias": 2.0},
            "patches": {"weight": 3.0, "bias": 3.0},
            "projections": {"weight": 4.0, "bias": 4.0},
            "rest": {"weight": 5.0, "bias": 5.0},
        },
        "training": {
            "epochs": 1,
            "batch_size": 8,
            "sampler": "random",
            "images_per_identity": 1,
        },
    }
    return ClipMer.model_validate({**defaults, **changes})


def t2i_reid(losses: dict[str, float | None], **changes: Any) -> T2iReid:
    """Its two contrasts, and the losses given."""
    off = dict.fromkeys(("cls", "cloth", "cloth_adv", "decouple", "hsic", "bio", "composed"))
    defaults = {
        "neck": "none",
        "embedding_dim": 16,
        "hidden": 12,
        "temperature": 0.1,
        "grl_on": "both",
        "captions_teach_images": False,
        "drawn_captions": 0.0,
        "training": {
            "epochs": 1,
            "batch_size": 8,
            "sampler": "random",
            "images_per_identity": 1,
        },
    }
    on = {"info_nce": 1.0, "cloth_match": 0.5}
    return T2iReid.model_validate({"losses": off | on | losses, **defaults, **changes})


def augmentation(**changes: Any) -> Augmentation:
    erase = {"erase_area": (0.02, 0.4), "erase_aspect": 0.3, "erase_fill": "mean"}
    return Augmentation(**{**erase, **changes})


def optimiser(**changes: Any) -> Optimiser:
    defaults = {
        "betas": (0.9, 0.999),
        "eps": 1e-8,
        "clip_norm": None,
        "schedule": "cosine",
        "final_factor": 0.0,
        "milestones": (),
        "gamma": 0.1,
        "power": 1.0,
    }
    return Optimiser(**{**defaults, **changes})


def training(**changes: Any) -> Training:
    defaults = {
        "sampler": "random",
        "images_per_identity": 2,
        "accumulate": 1,
        "gradient_checkpointing": False,
        "compile": False,
        "checkpoint_seconds": 60.0,
        "validation_batch_size": 8,
    }
    return Training(**{**defaults, **changes})


def generation(**changes: Any) -> Generation:
    defaults = {
        "enable_gen": True,
        "condition": "joint",
        "decoder": "parallel",
        "target": "masked",
        "mask_ratio": (0.5, 1.0),
        "mask_schedule": "cosine",
        "block_size": 1,
        "masked_patch": "drop",
        "reveal": 0.0,
        "text_dropout": 0.0,
        "label_smoothing": 0.1,
        "warmup_epochs": 0.0,
        "beside": "phase3",
        "clusters": 6,
        "contrast": 0.1,
        "contrast_scale": 0.3,
        "contrast_positives": "image",
        "score_share": 0.3,
        "shuffle_captions": False,
    }
    return Generation(**{**defaults, **changes})


def vqgan_discriminator(**changes: Any) -> VqganDiscriminator:
    return VqganDiscriminator(**{"channels": 64, "layers": 3, **changes})


def vqgan_fit(**changes: Any) -> VqganFit:
    defaults = {
        "patch": 1,
        "seed": 0,
        "identities": None,
        "perceptual": None,
        "discriminator": None,
        "checkpoint_seconds": 30.0,
    }
    return VqganFit(**{**defaults, **changes})
