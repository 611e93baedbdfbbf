"""The VQGAN and its codes."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from ubg.params.section import Count, NonNegative, Positive, PositiveFloat, Section


class VqTokens(Section):
    """How images become VQ ids; bf16 is faster and changes some of the ids."""

    batch_size: Positive
    precision: Literal["fp32", "bf16"]


class VqganDiscriminator(Section):
    """The adversarial term of the VQGAN: `weight` times the adaptive one, from `start_step` on."""

    weight: PositiveFloat
    start_step: Count
    channels: Positive
    layers: Annotated[int, Field(ge=1, le=5)]


class VqganPerceptual(Section):
    """The perceptual term of the VQGAN; `lpips` is the path of the weights of LPIPS."""

    weight: PositiveFloat
    lpips: str


class VqganFit(Section):
    """A VQGAN trained on the training images: its sizes, then how it is trained.

    Squares of `patch` pixels are folded into channels before the first convolution, and every
    multiplier but the first halves the grid. `seed` is independent of the experiment's seed: the
    codes stay the same when that changes. It sees the images of so many `identities` of the
    training split, the first that `labelled_identities` keeps, or of all.
    """

    codes: Annotated[int, Field(ge=2, le=65536)]
    code_dim: Annotated[int, Field(ge=1, le=4096)]
    channels: Annotated[int, Field(ge=32, le=1024, multiple_of=32)]
    multipliers: Annotated[
        tuple[Annotated[int, Field(ge=1, le=16)], ...], Field(min_length=1, max_length=8)
    ]
    blocks: Annotated[int, Field(ge=1, le=16)]
    patch: Literal[1, 2, 4, 8, 16]
    seed: Count
    identities: Positive | None
    steps: Positive
    batch_size: Positive
    lr: PositiveFloat
    lr_warmup_steps: Count
    warmup_steps: Count
    commitment: NonNegative
    revive_every: Positive
    precision: Literal["fp32", "bf16"]
    perceptual: VqganPerceptual | None
    discriminator: VqganDiscriminator | None
    checkpoint_seconds: NonNegative

    @model_validator(mode="after")
    def _codes_are_trained(self) -> "VqganFit":
        if self.warmup_steps >= self.steps:
            raise ValueError("warmup_steps must be smaller than steps")
        return self


class Vqgan(Section):
    """Trained as `fit` says, or `pretrained`: a published checkpoint, with its yaml `config`."""

    pretrained: str | None
    config: str | None
    fit: VqganFit | None

    @model_validator(mode="after")
    def _fitted_or_pretrained(self) -> "Vqgan":
        if (self.pretrained is None) == (self.fit is None):
            raise ValueError("give either 'fit' or 'pretrained', not both")
        if (self.pretrained is None) != (self.config is None):
            raise ValueError("'pretrained' and 'config' belong together: the .ckpt and its .yaml")
        return self
