"""Losses, augmentation, optimisation."""

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
    name: Literal["adam", "adamw"]
    lr: PositiveFloat
    new_module_lr_factor: PositiveFloat
    bias_lr_factor: PositiveFloat
    weight_decay: NonNegative
    betas: tuple[Fraction, Fraction] = (0.9, 0.999)
    clip_norm: PositiveFloat | None = None
    warmup_epochs: NonNegative
    warmup_factor: Fraction
    final_factor: Fraction = 0.0


class Training(Section):
    """How long, in what batches and at what precision.

    Attributes:
        accumulate: batches whose gradients are added up; each still contrasts its own pairs only.
        gradient_checkpointing: compute activations again in the backward pass, to save memory.
        compile: run the training step through `torch.compile`, which takes minutes to begin with.
    """

    epochs: Positive
    batch_size: Annotated[int, Field(ge=2)]
    accumulate: Positive = 1
    precision: Literal["fp32", "bf16"]
    gradient_checkpointing: bool = False
    compile: bool = False
    checkpoint_seconds: NonNegative = 60.0


class Evaluation(Section):
    batch_size: Positive
