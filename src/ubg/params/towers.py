"""Sizes of images and texts, and the networks that encode them."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from ubg.params.section import Count, Fraction, Positive, Section

Spread = Annotated[float, Field(ge=0, le=10)]


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


class Tower(Section):
    """A network built from its sizes, or loaded from `pretrained`."""

    pretrained: str | None = None
    width: Positive | None = None
    layers: Positive | None = None
    heads: Positive | None = None
    mlp_width: Positive | None = None

    @model_validator(mode="after")
    def _sizes_or_pretrained(self) -> Self:
        sizes = "width", "layers", "heads", "mlp_width"
        missing = [name for name in sizes if getattr(self, name) is None]
        if self.pretrained is None and missing:
            raise ValueError(f"without 'pretrained' give also: {', '.join(missing)}")
        return self


class ClipTower(Tower):
    """`architecture` names a model of open_clip, for weights without a config beside them."""

    architecture: str | None = None

    @model_validator(mode="after")
    def _architecture_of_something(self) -> Self:
        if self.pretrained is None and self.architecture is not None:
            raise ValueError("architecture says what 'pretrained' holds: give that too")
        return self


class VisionTower(ClipTower):
    """A vision transformer, built from its sizes or loaded from `pretrained`.

    `pretrained` is a name on the Hugging Face hub (`hf-hub:` before it takes an open_clip
    checkpoint), a folder, or a file of weights. Patches are `stride` pixels apart, by default
    `patch_size`; fewer make them overlap, and what is too narrow for another is left out. `resize`
    says how pretrained positions are brought to the grid of patches.
    """

    patch_size: Annotated[int, Field(ge=4, le=64)] = 16
    stride: Positive | None = None
    resize: Literal["bilinear", "bicubic"] = "bilinear"
    conv_stem: bool = False

    @model_validator(mode="after")
    def _patches_without_gaps(self) -> Self:
        if self.stride is not None and self.stride > self.patch_size:
            raise ValueError("stride must not be larger than patch_size")
        if self.conv_stem and self.stride is not None:
            raise ValueError("conv_stem has no stride of patches: leave it out")
        return self


class ClipTextTower(ClipTower):
    """CLIP's text transformer, built from its sizes or loaded from `pretrained`.

    `pretrained` is as in `VisionTower`; `vocab_size` is that of CLIP's byte pair encoding.
    """

    vocab_size: Positive = 49408


class TextTower(Tower):
    """A T5 encoder, built from its sizes or loaded from `pretrained`: hub name, folder or file.

    `position_bias_std`: of the relative position biases of a new one at the start.
    """

    dropout: Fraction = 0.1
    position_bias_std: Spread = 2.0


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
    the text, or "2d", a learned bias of its own over rows and columns, which starts at random with
    a standard deviation of `position_bias_std`.
    """

    pooling: Literal["mean", "cls", "last"] = "mean"
    cls_token: bool = False
    image_positions: Literal["1d", "2d"] = "1d"
    position_bias_std: Spread = 2.0

    @model_validator(mode="after")
    def _token_to_pool(self) -> Self:
        if self.pooling == "cls" and not self.cls_token:
            raise ValueError("pooling: cls needs cls_token: true")
        return self
