"""Augmentation, optimisation, and how training and evaluation run."""

from itertools import pairwise
from typing import Annotated, Literal

from pydantic import Field, model_validator

from ubg.params.section import Count, Fraction, NonNegative, Positive, PositiveFloat, Section


class Augmentation(Section):
    """Training only; drawn per sample from (seed, epoch, image)."""

    flip: Fraction
    pad: Count
    erase: Fraction
    erase_area: tuple[PositiveFloat, PositiveFloat]
    erase_aspect: PositiveFloat
    erase_fill: Literal["mean", "noise"]

    @model_validator(mode="after")
    def _ordered_area(self) -> "Augmentation":
        low, high = self.erase_area
        if not low <= high <= 1:
            raise ValueError("erase_area must be [low, high] with low <= high <= 1")
        return self


class Optimiser(Section):
    """Optimiser, learning rates, and how they fall.

    Attributes:
        schedule: what follows a linear warm-up: "cosine", "linear" or "poly" (with `power`) down to
            `final_factor`, "exp" down to `gamma`, or "step", by `gamma` at each of `milestones`.
        eps: added to the root of the second moment. At 1e-8 every weight moves by about its rate a
            step; far above the gradients, as IRRA's 1e-3, steps are in proportion to them.
        milestones: in epochs, counted from the start of the run.
    """

    name: Literal["adam", "adamw"]
    lr: PositiveFloat
    new_module_lr_factor: PositiveFloat
    bias_lr_factor: PositiveFloat
    weight_decay: NonNegative
    betas: tuple[Fraction, Fraction]
    eps: PositiveFloat
    clip_norm: PositiveFloat | None
    warmup_epochs: NonNegative
    warmup_factor: Fraction
    schedule: Literal["cosine", "step", "linear", "poly", "exp"]
    final_factor: Fraction
    milestones: tuple[PositiveFloat, ...]
    gamma: Annotated[float, Field(gt=0, le=1)]
    power: PositiveFloat

    @model_validator(mode="after")
    def _settings_of_the_schedule(self) -> "Optimiser":
        if (self.schedule == "step") != bool(self.milestones):
            raise ValueError("schedule: step and milestones belong together")
        if any(low >= high for low, high in pairwise((self.warmup_epochs, *self.milestones))):
            raise ValueError("milestones must rise and come after warmup_epochs")
        if self.schedule in ("step", "exp") and self.final_factor:
            raise ValueError(f"final_factor is not for schedule: {self.schedule}, gamma is")
        return self


class Training(Section):
    """How long, in what batches and at what precision.

    Attributes:
        batch_size: of all processes together, pairs.
        sampler: "random" takes every caption once an epoch, "identity" every identity once, by
            `images_per_identity` captions of as many of its images.
        images_per_identity: of the sampler "identity" alone.
        accumulate: batches whose gradients are added up; each still contrasts its own pairs only.
        gradient_checkpointing: compute activations again in the backward pass, to save memory.
        compile: run the transformer layers through `torch.compile`; training and the first
            validation begin with compiling.
        checkpoint_seconds: between two checkpoints, beside those at the end of every epoch.
        validation_batch_size: as `batch_size` of `Evaluation`, after every epoch.
    """

    epochs: Positive
    batch_size: Annotated[int, Field(ge=2)]
    sampler: Literal["random", "identity"]
    images_per_identity: Positive
    accumulate: Positive
    precision: Literal["fp32", "bf16"]
    gradient_checkpointing: bool
    compile: bool
    checkpoint_seconds: NonNegative
    validation_batch_size: Positive

    @model_validator(mode="after")
    def _identities_fill_a_batch(self) -> "Training":
        if self.sampler == "identity" and self.batch_size % self.images_per_identity:
            raise ValueError("batch_size must be a multiple of images_per_identity")
        return self


class Launcher(Section):
    """How many processes train together: one for each GPU, or sharing the CPU.

    They share every batch: the result equals that of one process up to rounding and dropout.
    """

    processes: Positive


class Evaluation(Section):
    """`batch_size`: images at a time; it also sets the budget of tokens of a batch of captions."""

    batch_size: Positive
