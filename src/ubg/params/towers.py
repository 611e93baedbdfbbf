"""Sizes of images and texts, and the networks that encode them."""

from typing import Annotated, Literal, TypeVar

from pydantic import Field, model_validator

from ubg.params.section import Count, Fraction, Positive, Section

S = TypeVar("S", bound=Section)


class Image(Section):
    """Size in pixels of the packed images, and how many broken ones may be left out."""

    height: Annotated[int, Field(ge=16, le=2048)]
    width: Annotated[int, Field(ge=16, le=2048)]
    max_broken: Count = 0


class Tokenizer(Section):
    """SentencePiece trained on the training captions, or `pretrained`: a hub name or a folder."""

    pretrained: str | None = None
    vocab_size: Annotated[int, Field(ge=32, le=65536)] = 1000
    max_tokens: Annotated[int, Field(ge=4, le=512)]


class VisionTower(Section):
    """A vision transformer, built from its sizes or loaded from `pretrained`.

    `pretrained` is a name on the Hugging Face hub (`hf-hub:` before it takes an open_clip
    checkpoint), a folder, or a file of weights. `architecture` names a model of open_clip, for
    weights without a config beside them. Patches are `stride` pixels apart, by default
    `patch_size`; fewer make them overlap, and what is too narrow for another is left out. `resize`
    says how pretrained positions are brought to the
    grid of patches.
    """

    pretrained: str | None = None
    architecture: str | None = None
    width: Positive | None = None
    layers: Positive | None = None
    heads: Positive | None = None
    mlp_width: Positive | None = None
    patch_size: Annotated[int, Field(ge=4, le=64)] = 16
    stride: Positive | None = None
    resize: Literal["bilinear", "bicubic"] = "bilinear"
    conv_stem: bool = False

    @model_validator(mode="after")
    def _patches_without_gaps(self) -> "VisionTower":
        if self.stride is not None and self.stride > self.patch_size:
            raise ValueError("stride must not be larger than patch_size")
        if self.conv_stem and self.stride is not None:
            raise ValueError("conv_stem has no stride of patches: leave it out")
        return self

    @model_validator(mode="after")
    def _sizes_or_pretrained(self) -> "VisionTower":
        return _require_sizes(self, ("width", "layers", "heads", "mlp_width"))


class ClipTextTower(Section):
    """CLIP's text transformer, built from its sizes or loaded from `pretrained`.

    `pretrained` and `architecture` are as in `VisionTower`; `vocab_size` is that of CLIP's byte
    pair encoding.
    """

    pretrained: str | None = None
    architecture: str | None = None
    width: Positive | None = None
    layers: Positive | None = None
    heads: Positive | None = None
    mlp_width: Positive | None = None
    vocab_size: Positive = 49408

    @model_validator(mode="after")
    def _sizes_or_pretrained(self) -> "ClipTextTower":
        return _require_sizes(self, ("width", "layers", "heads", "mlp_width"))


class TextTower(Section):
    """A T5 encoder, built from its sizes or loaded from `pretrained`: hub name, folder or file."""

    pretrained: str | None = None
    width: Positive | None = None
    layers: Positive | None = None
    heads: Positive | None = None
    mlp_width: Positive | None = None
    dropout: Fraction = 0.1

    @model_validator(mode="after")
    def _sizes_or_pretrained(self) -> "TextTower":
        return _require_sizes(self, ("width", "layers", "heads", "mlp_width"))


class Towers(Section):
    """`attention`: "sdpa", or "eager", which is the faster one for bf16 on CPU."""

    attention: Literal["sdpa", "eager"] = "sdpa"
    clip: VisionTower
    clip_text: ClipTextTower
    siglip: VisionTower
    t5: TextTower


class SharedEncoder(Section):
    """How image tokens go through the T5 encoder (phases 3 and 4).

    `image_positions`: relative position bias of image tokens, "1d" in raster order with the bias of
    the text, or "2d", a learned bias of its own over rows and columns.
    """

    pooling: Literal["mean", "cls", "last"] = "mean"
    cls_token: bool = False
    image_positions: Literal["1d", "2d"] = "1d"

    @model_validator(mode="after")
    def _token_to_pool(self) -> "SharedEncoder":
        if self.pooling == "cls" and not self.cls_token:
            raise ValueError("pooling: cls needs cls_token: true")
        return self


def _require_sizes(section: S, names: tuple[str, ...]) -> S:
    missing = [name for name in names if getattr(section, name) is None]
    if getattr(section, "pretrained", None) is None:
        if missing:
            raise ValueError(f"without 'pretrained' give also: {', '.join(missing)}")
        if getattr(section, "architecture", None) is not None:
            raise ValueError("architecture says what 'pretrained' holds: give that too")
    return section
