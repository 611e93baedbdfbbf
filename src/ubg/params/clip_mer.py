"""clip_mer: its adapters, its fusion, its losses, and how it is trained."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from ubg.params.irra import LrFactors
from ubg.params.network import ClipNetwork
from ubg.params.section import Count, NonNegative, Positive, PositiveFloat, Section


class Adapters(Section):
    """Low-rank updates of the towers' weights, in vision a pair of matrices for each modality.

    Attributes:
        rank: of an update.
        alpha: an update is scaled by alpha / rank.
        layers: of the vision tower, "all" or so many at its end.
        products: "all" linear maps of a layer, or those of its "mlp" alone.
        text: one update for each linear map of the text tower as well.
    """

    rank: Positive
    alpha: PositiveFloat
    layers: Literal["all"] | Count
    products: Literal["all", "mlp"]
    text: bool


class Fusion(Section):
    """The transformer that makes one embedding of the parts of a query."""

    layers: Positive
    heads: Positive


class ClipMerLosses(Section):
    """Weights of the losses; null is off.

    Attributes:
        sdm: of each combination of query parts to RGB.
        itc: InfoNCE of the same pairs, where every sample is a class of its own.
        id: of all modalities, by one classifier.
        norm: of embeddings that are shorter or longer than `ClipMer.norm_band`.
    """

    sdm: PositiveFloat
    itc: PositiveFloat | None
    id: PositiveFloat | None
    norm: PositiveFloat | None


class ClipMerOptimiser(Section):
    """How many times `optimiser.lr` the parts of the model learn at.

    Attributes:
        trunk: both of CLIP's transformers.
        adapters: their low-rank updates.
        patches: the patch embeddings, RGB's too; what else is of one modality with `own: all`.
        projections: to the joint space.
        rest: fusion and classifier.
    """

    trunk: LrFactors
    adapters: LrFactors
    patches: LrFactors
    projections: LrFactors
    rest: LrFactors


class ClipMerTraining(Section):
    """What of `training` is this system's own; see there."""

    epochs: Positive
    batch_size: Annotated[int, Field(ge=2)]
    sampler: Literal["random", "identity"]
    images_per_identity: Positive

    @model_validator(mode="after")
    def _identities_fill_a_batch(self) -> "ClipMerTraining":
        if self.sampler == "identity" and self.batch_size % self.images_per_identity:
            raise ValueError("batch_size must be a multiple of images_per_identity")
        return self


class ClipMer(Section):
    """Queries of text, infrared, colour pencil and sketch, in any combination.

    Attributes:
        adapters: of the towers.
        freeze_trunk: CLIP's transformers learn by their adapters alone.
        own: what a modality does not share with RGB before the first layer: its patch embedding
            ("conv"), or class token, positions and first norm too ("all").
        patch_noise: standard deviation of what is added to RGB's patch embedding where that of
            another modality starts from it.
        fusion: of the parts of a query.
        combinations_per_step: of the eleven combinations of several parts, so many are drawn for a
            step, beside the four single parts.
        losses: their weights.
        norm_band: least and greatest length of an embedding that `losses.norm` leaves alone.
        temperature: of SDM and InfoNCE.
        optimiser: learning rates of its parts.
        training: what differs from that of the other systems.
    """

    adapters: Adapters
    freeze_trunk: bool
    own: Literal["conv", "all"]
    patch_noise: NonNegative
    fusion: Fusion
    combinations_per_step: Annotated[int, Field(ge=1, le=11)]
    losses: ClipMerLosses
    norm_band: tuple[NonNegative, PositiveFloat]
    temperature: PositiveFloat
    optimiser: ClipMerOptimiser
    training: ClipMerTraining

    @model_validator(mode="after")
    def _ordered_band(self) -> "ClipMer":
        low, high = self.norm_band
        if low > high:
            raise ValueError("norm_band must be [low, high] with low <= high")
        return self


class ClipMerNetwork(ClipNetwork):
    """What the model is built from; what trains beside it is `ClipMer`'s."""

    adapters: Adapters
    own: Literal["conv", "all"]
    fusion: Fusion
