"""Losses, augmentation, optimisation."""

from itertools import pairwise
from typing import Annotated, Literal

from pydantic import Field, model_validator

from ubg.params.section import Count, Fraction, NonNegative, Positive, PositiveFloat, Section


class Losses(Section):
    """Weights of the retrieval losses; SDM is always on."""

    sdm: PositiveFloat
    itc: PositiveFloat | None = None

    def weights(self) -> dict[str, float]:
        """The weight of each loss that is on, by the name that models return it under."""
        return {f"{name}_loss": weight for name, weight in self if weight is not None}


class Augmentation(Section):
    """Training only; drawn per sample from (seed, epoch, image)."""

    flip: Fraction
    pad: Count
    erase: Fraction
    erase_area: tuple[PositiveFloat, PositiveFloat] = (0.02, 0.4)
    erase_aspect: PositiveFloat = 0.3
    erase_fill: Literal["mean", "noise"] = "mean"

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
        milestones: in epochs, counted from the start of the run.
    """

    name: Literal["adam", "adamw"]
    lr: PositiveFloat
    new_module_lr_factor: PositiveFloat
    bias_lr_factor: PositiveFloat
    weight_decay: NonNegative
    betas: tuple[Fraction, Fraction] = (0.9, 0.999)
    clip_norm: PositiveFloat | None = None
    warmup_epochs: NonNegative
    warmup_factor: Fraction
    schedule: Literal["cosine", "step", "linear", "poly", "exp"] = "cosine"
    final_factor: Fraction = 0.0
    milestones: tuple[PositiveFloat, ...] = ()
    gamma: Annotated[float, Field(gt=0, le=1)] = 0.1
    power: PositiveFloat = 1.0

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
        accumulate: batches whose gradients are added up; each still contrasts its own pairs only.
        gradient_checkpointing: compute activations again in the backward pass, to save memory.
        compile: run the training step through `torch.compile`, which takes minutes to begin with.
    """

    epochs: Positive
    batch_size: Annotated[int, Field(ge=2)]
    sampler: Literal["random", "identity"] = "random"
    images_per_identity: Positive | None = None
    accumulate: Positive = 1
    precision: Literal["fp32", "bf16"]
    gradient_checkpointing: bool = False
    compile: bool = False
    checkpoint_seconds: NonNegative = 60.0

    @model_validator(mode="after")
    def _identities_fill_a_batch(self) -> "Training":
        if (self.sampler == "identity") != (self.images_per_identity is not None):
            raise ValueError("sampler: identity and images_per_identity belong together")
        if self.images_per_identity and self.batch_size % self.images_per_identity:
            raise ValueError("batch_size must be a multiple of images_per_identity")
        return self


class Launcher(Section):
    """How many processes train together: one for each GPU, or sharing the CPU.

    They share every batch, so that the result is that of one process but for rounding and dropout.
    """

    processes: Positive = 1


class Evaluation(Section):
    """`batch_size`: images at a time, or the tokens of so many captions of average length."""

    batch_size: Positive
