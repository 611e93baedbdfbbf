"""The IRRA baseline: its losses, and what trains beside its towers."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from ubg.params.network import ClipNetwork
from ubg.params.section import Positive, PositiveFloat, Section

Share = Annotated[float, Field(gt=0, le=1)]


class IrraLosses(Section):
    """Weights of the losses, in any combination; null is off."""

    sdm: PositiveFloat | None
    itc: PositiveFloat | None
    cmpm: PositiveFloat | None
    id: PositiveFloat | None
    mlm: PositiveFloat | None

    @model_validator(mode="after")
    def _any(self) -> "IrraLosses":
        if all(weight is None for _, weight in self):
            raise ValueError("give at least one of sdm, itc, cmpm, id, mlm a weight")
        return self


class LrFactors(Section):
    """How many times `optimiser.lr` a part of the model learns at."""

    weight: PositiveFloat
    bias: PositiveFloat


class IrraOptimiser(Section):
    """What of the optimiser is IRRA's own.

    Attributes:
        eps: in place of `optimiser.eps`.
        clip_norm: in place of `optimiser.clip_norm`.
        interaction: the cross-attention and the transformer behind it.
        norms: the layer norms before and after these two.
        heads: the head of the masked words and the classifier of identities.
    """

    eps: PositiveFloat
    clip_norm: PositiveFloat | None
    interaction: LrFactors
    norms: LrFactors
    heads: LrFactors


class Irra(Section):
    """IRRA (arXiv 2303.12501).

    Attributes:
        losses: SDM, ID and MLM in the paper.
        soft_labels: SDM's label of another image of the same identity; null counts it as a match
            like the image described.
        contrast_on: captions that all losses but MLM see. "masked" are those of MLM: one pass
            through the text tower serves both, as in the code that its authors published.
        temperature: of SDM and ITC.
        learn_temperature: begin there, and learn its logarithm.
        mask_ratio: share of a caption's tokens that MLM scores.
        guess_among: the tokens that MLM predicts among: "all" of the vocabulary, as in the paper,
            or those "seen" in the training captions, so that no others need scores.
        interaction_layers: of the transformer that MLM fuses text and image with.
        interaction_heads: of its attention; the paper has one for every 64 of `embedding_dim`.
        head_activation: in the head of the masked words; "quick_gelu" in the published code.
        optimiser: what differs from that of the other systems.
    """

    losses: IrraLosses
    soft_labels: Share | None
    contrast_on: Literal["clean", "masked"]
    temperature: PositiveFloat
    learn_temperature: bool
    mask_ratio: Share
    guess_among: Literal["all", "seen"]
    interaction_layers: Positive
    interaction_heads: Positive
    head_activation: Literal["quick_gelu", "gelu"]
    optimiser: IrraOptimiser

    @model_validator(mode="after")
    def _settings_have_their_loss(self) -> "Irra":
        losses = self.losses
        if self.contrast_on == "masked" and losses.mlm is None:
            raise ValueError("contrast_on: masked needs losses.mlm, which masks the captions")
        if self.soft_labels is not None and losses.sdm is None:
            raise ValueError("soft_labels needs losses.sdm")
        if self.learn_temperature and losses.sdm is None and losses.itc is None:
            raise ValueError("learn_temperature needs losses.sdm or losses.itc")
        return self


class IrraNetwork(ClipNetwork):
    """What the model is built from; what trains beside it is `Irra`'s."""
