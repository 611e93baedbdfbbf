"""Phase 4: the branch that predicts the codes of masked images while it trains."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from ubg.params.section import Fraction, NonNegative, Positive, Section


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
        block_size: side of the square blocks in which patches are masked, in patches.
        masked_patch: what the encoder sees of a masked patch: nothing ("drop"), a learned
            "embedding", or "grey" pixels.
        reveal: share of samples whose decoder is told some of the masked codes, as in iterative
            decoding; those are not scored.
        text_dropout: share of samples whose caption is hidden from the branch.
        label_smoothing: of the cross-entropy.
        warmup_epochs: the weight of the loss rises linearly to `gen_weight` over so many epochs.
    """

    enable_gen: bool
    decoder: Literal["parallel", "autoregressive"]
    decoder_layers: Positive
    target: Literal["masked", "whole"]
    mask_ratio: tuple[Fraction, Fraction]
    mask_schedule: Literal["cosine", "uniform"]
    block_size: Positive
    masked_patch: Literal["drop", "embedding", "grey"]
    reveal: Fraction
    text_dropout: Fraction
    label_smoothing: Annotated[float, Field(ge=0, lt=1)]
    warmup_epochs: NonNegative

    @model_validator(mode="after")
    def _ordered_ratio(self) -> "Generation":
        low, high = self.mask_ratio
        if not 0 < low <= high:
            raise ValueError("mask_ratio must be [low, high] with 0 < low <= high <= 1")
        return self
