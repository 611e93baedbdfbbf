"""Phase 4: the branch that predicts the codes of images, and what its model keeps."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from ubg.params.aligned import SharedNetwork
from ubg.params.section import Fraction, NonNegative, Positive, PositiveFloat, Section
from ubg.params.towers import ClipTextTower

Beside = Literal["irra", "phase1", "phase2", "phase3"]


class Generation(Section):
    """The branch of phase 4: predict the VQ codes of an image from its caption.

    Attributes:
        enable_gen: false trains phase 4 as phase 3.
        condition: what the codes are predicted from: the "text" alone, as the retrieval pass
            encodes it, or caption and visible patches "joint" in a pass of their own.
        decoder: "parallel" predicts all positions at once from mask queries; of "joint" also
            "autoregressive", one after the other; of "text" also "linear", which is no decoder but
            a linear map of the pooled caption.
        decoder_layers: of the two decoders.
        label_smoothing: of the cross-entropy.
        warmup_epochs: the weight of the branch rises linearly to `gen_weight` over so many epochs.
        beside: the system whose retrieval model the branch stands beside; "joint" needs the shared
            encoder of "phase3".
        clusters: of "text"; the codes fall into so many classes, by k-means of the codebook, and a
            class is what is predicted; null: every code is its own class.
        contrast: of "text"; weight of InfoNCE on the likelihoods of the batch's captions and
            images, relative to the cross-entropy; null leaves it out.
        contrast_scale: what the log-likelihoods are multiplied by in it, an inverse temperature.
        contrast_positives: which images are a caption's own in it: that of its sample ("image"), or
            every one of its person in the batch ("identity").
        score_share: of "text"; spread of the second score in units of the spread of the cosine.
        shuffle_captions: of "text"; a control: the branch is given the captions of other samples
            of its process.
        target: of "joint", as all that follows; predict the "masked" positions or the "whole"
            image.
        mask_ratio: least and greatest share of masked patches.
        mask_schedule: how the ratio is drawn between the two, "cosine" (many high ratios) or
            "uniform".
        block_size: side of the square blocks in which patches are masked, in patches.
        masked_patch: what the encoder sees of a masked patch: nothing ("drop"), a learned
            "embedding", or "grey" pixels.
        reveal: share of samples whose decoder is told some of the masked codes, as in iterative
            decoding; those are not scored.
        text_dropout: share of samples whose caption is hidden from the branch.
    """

    enable_gen: bool
    condition: Literal["text", "joint"]
    decoder: Literal["parallel", "autoregressive", "linear"]
    decoder_layers: Positive
    label_smoothing: Annotated[float, Field(ge=0, lt=1)]
    warmup_epochs: NonNegative
    beside: Beside
    clusters: Positive | None
    contrast: PositiveFloat | None
    contrast_scale: PositiveFloat
    contrast_positives: Literal["image", "identity"]
    score_share: NonNegative
    shuffle_captions: bool
    target: Literal["masked", "whole"]
    mask_ratio: tuple[Fraction, Fraction]
    mask_schedule: Literal["cosine", "uniform"]
    block_size: Positive
    masked_patch: Literal["drop", "embedding", "grey"]
    reveal: Fraction
    text_dropout: Fraction

    @model_validator(mode="after")
    def _ordered_ratio(self) -> Self:
        low, high = self.mask_ratio
        if not 0 < low <= high:
            raise ValueError("mask_ratio must be [low, high] with 0 < low <= high <= 1")
        return self

    @model_validator(mode="after")
    def _decoder_of_condition(self) -> Self:
        allowed = {"text": ("parallel", "linear"), "joint": ("parallel", "autoregressive")}
        if self.decoder not in allowed[self.condition]:
            raise ValueError(
                f"decoder: {self.decoder} does not go with condition: {self.condition}; allowed: "
                + ", ".join(allowed[self.condition])
            )
        return self

    @model_validator(mode="after")
    def _encoder_of_condition(self) -> Self:
        if self.condition == "joint" and self.beside != "phase3":
            raise ValueError(
                f"beside: {self.beside} does not go with condition: joint, which needs the shared "
                "encoder of phase3"
            )
        return self


class Phase4Network(SharedNetwork):
    """What the model of phase 4 is built from.

    Attributes:
        beside: whose retrieval model it is; `shared_encoder` is read by "phase3" alone, and
            `clip_text` by "irra", which does without `t5` and `neck`.
    """

    clip_text: ClipTextTower

    beside: Beside
