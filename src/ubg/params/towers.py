"""Sizes of images and texts, and the networks that encode them."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from ubg.params.section import Count, Fraction, Positive, Section

Spread = Annotated[float, Field(ge=0, le=10)]
MaxTokens = Annotated[int, Field(ge=4, le=512)]
Attention = Literal["sdpa", "eager"]


class Image(Section):
    """Size in pixels of the packed images, and how many broken ones may be left out."""

    height: Annotated[int, Field(ge=16, le=2048)]
    width: Annotated[int, Field(ge=16, le=2048)]
    max_broken: Count


class Tokenizer(Section):
    """SentencePiece trained on the training captions, or `pretrained`: a hub name or a folder.

    `vocab_size` is the upper limit of the pieces to train; a pretrained tokenizer has its own.
    `max_unknown` is the largest share of unknown tokens in the training captions, for the tokenizer
    of every system.
    """

    pretrained: str | None
    vocab_size: Annotated[int, Field(ge=32, le=65536)] | None
    max_tokens: MaxTokens
    max_unknown: Fraction

    @model_validator(mode="after")
    def _trained_or_pretrained(self) -> Self:
        if self.pretrained is None and self.vocab_size is None:
            raise ValueError("give either vocab_size or pretrained")
        return self


class Tower(Section):
    """A network built from its sizes, or loaded from `pretrained`."""

    pretrained: str | None
    width: Positive | None
    layers: Positive | None
    heads: Positive | None
    mlp_width: Positive | None

    @model_validator(mode="after")
    def _sizes_or_pretrained(self) -> Self:
        sizes = "width", "layers", "heads", "mlp_width"
        missing = [name for name in sizes if getattr(self, name) is None]
        if self.pretrained is None and missing:
            raise ValueError(f"without 'pretrained' give also: {', '.join(missing)}")
        return self


class ClipTower(Tower):
    """`architecture` names a model of open_clip, for weights without a config beside them."""

    architecture: str | None

    @model_validator(mode="after")
    def _architecture_of_something(self) -> Self:
        if self.pretrained is None and self.architecture is not None:
            raise ValueError("architecture says what 'pretrained' holds: give that too")
        return self


class VisionTower(ClipTower):
    """A vision transformer, built from its sizes or loaded from `pretrained`.

    `pretrained` is a name on the Hugging Face hub (`hf-hub:` before it takes an open_clip
    checkpoint), a folder, or a file of weights. Patches are `stride` pixels apart, by default
    `patch_size`. With a smaller stride they overlap, and a margin too narrow for another patch is
    left out. `resize` is how pretrained position embeddings are interpolated to the patch grid.
    """

    patch_size: Annotated[int, Field(ge=4, le=64)]
    stride: Positive | None
    resize: Literal["bilinear", "bicubic"]
    conv_stem: bool

    @model_validator(mode="after")
    def _patches_without_gaps(self) -> Self:
        if self.stride is not None and self.stride > self.patch_size:
            raise ValueError("stride must not be larger than patch_size")
        if self.conv_stem and self.stride is not None:
            raise ValueError("conv_stem has no stride of patches: set stride to null")
        return self


class ClipTextTower(ClipTower):
    """CLIP's text transformer, built from its sizes or loaded from `pretrained`.

    `pretrained` is as in `VisionTower`; `vocab_size` is that of CLIP's byte pair encoding.
    """

    vocab_size: Positive


class TextTower(Tower):
    """A T5 encoder, built from its sizes or loaded from `pretrained`: hub name, folder or file.

    `position_bias`: how the relative position biases of a new one start, "local", so that heads see
    neighbouring tokens, or "random", with a standard deviation of `position_bias_std`.
    """

    dropout: Fraction
    position_bias: Literal["local", "random"]
    position_bias_std: Spread


class BertTower(Tower):
    """BERT, built from its sizes or loaded from `pretrained`: a hub name, a folder or a file.

    A pretrained one brings its tokenizer; a new one takes that of `Tokenizer`.
    """

    dropout: Fraction


class Towers(Section):
    """`attention`: "sdpa", or "eager", which is the faster one for bf16 on CPU."""

    attention: Attention
    clip: VisionTower
    clip_text: ClipTextTower
    siglip: VisionTower
    t5: TextTower
    bert: BertTower
