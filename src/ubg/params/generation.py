"""The VQGAN, its codes, and the branch of phase 4 that predicts them."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from ubg.params.section import Count, Fraction, NonNegative, Positive, PositiveFloat, Section


class Generation(Section):
    """The training-only branch of phase 4: predict the VQ codes of a masked image from its caption.

    Attributes:
        enable_gen: false trains phase 4 as phase 3.
        decoder: "parallel" predicts all positions at once from mask queries, "autoregressive" one
            after the other.
        target: predict the "masked" positions or the "whole" image.
        mask_ratio: least and greatest share of masked patches.
        mask_schedule: how the ratio is drawn between the two, "cosine" (many high ratios) or
            "uniform".
        block_size: patches are masked in squares of so many by so many.
        masked_patch: what the encoder sees of a masked patch: nothing ("drop"), a learned
            "embedding", or "grey" pixels.
        reveal: share of samples whose decoder is told some of the masked codes, as in iterative
            decoding; those are not scored.
        text_dropout: share of samples whose caption is hidden from the branch.
        label_smoothing: of the cross-entropy.
        warmup_epochs: the weight of the loss rises linearly to `gen_weight` over so many epochs.
    """

    enable_gen: bool = True
    decoder: Literal["parallel", "autoregressive"] = "parallel"
    decoder_layers: Positive
    target: Literal["masked", "whole"] = "masked"
    mask_ratio: tuple[Fraction, Fraction] = (0.5, 1.0)
    mask_schedule: Literal["cosine", "uniform"] = "cosine"
    block_size: Positive = 1
    masked_patch: Literal["drop", "embedding", "grey"] = "drop"
    reveal: Fraction = 0.0
    text_dropout: Fraction = 0.0
    label_smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.1
    warmup_epochs: NonNegative = 0.0

    @model_validator(mode="after")
    def _ordered_ratio(self) -> "Generation":
        low, high = self.mask_ratio
        if not 0 < low <= high:
            raise ValueError("mask_ratio must be [low, high] with 0 < low <= high <= 1")
        return self


class VqTokens(Section):
    """How images become VQ ids; bf16 is faster and changes some of the ids."""

    batch_size: Positive
    precision: Literal["fp32", "bf16"]


class VqganDiscriminator(Section):
    """The adversarial term of the VQGAN: `weight` times the adaptive one, from `start_step` on."""

    weight: PositiveFloat
    start_step: Count
    channels: Positive = 64
    layers: Annotated[int, Field(ge=1, le=5)] = 3


class VqganPerceptual(Section):
    """The perceptual term of the VQGAN; `lpips` is the path of the weights of LPIPS."""

    weight: PositiveFloat
    lpips: str


class VqganFit(Section):
    """A VQGAN trained on the training images: its sizes, then how it is trained.

    `patch` pixels square are folded into channels before the first convolution, and every
    multiplier but the first halves the grid. `seed` is its own: the codes stay the same when the
    seed of the experiment changes.
    """

    codes: Annotated[int, Field(ge=2, le=65536)]
    code_dim: Annotated[int, Field(ge=1, le=4096)]
    channels: Annotated[int, Field(ge=32, le=1024, multiple_of=32)]
    multipliers: Annotated[
        tuple[Annotated[int, Field(ge=1, le=16)], ...], Field(min_length=1, max_length=8)
    ]
    blocks: Annotated[int, Field(ge=1, le=16)]
    patch: Literal[1, 2, 4, 8, 16] = 1
    seed: Count = 0
    steps: Positive
    batch_size: Positive
    lr: PositiveFloat
    lr_warmup_steps: Count
    warmup_steps: Count
    commitment: NonNegative
    revive_every: Positive
    precision: Literal["fp32", "bf16"]
    perceptual: VqganPerceptual | None = None
    discriminator: VqganDiscriminator | None = None
    checkpoint_seconds: NonNegative = 30.0

    @model_validator(mode="after")
    def _codes_are_trained(self) -> "VqganFit":
        if self.warmup_steps >= self.steps:
            raise ValueError("warmup_steps must be smaller than steps")
        return self


class Vqgan(Section):
    """Trained as `fit` says, or `pretrained`: a published checkpoint, with its yaml `config`."""

    pretrained: str | None = None
    config: str | None = None
    fit: VqganFit | None = None

    @model_validator(mode="after")
    def _fitted_or_pretrained(self) -> "Vqgan":
        if (self.pretrained is None) == (self.fit is None):
            raise ValueError("give either 'fit' or 'pretrained', not both")
        if (self.pretrained is None) != (self.config is None):
            raise ValueError("'pretrained' and 'config' belong together: the .ckpt and its .yaml")
        return self
