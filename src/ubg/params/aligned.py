"""Phases 1 to 4: their losses, the encoder that phases 3 and 4 share, what their models keep."""

from typing import Literal, Self

from pydantic import model_validator

from ubg.params.network import Network
from ubg.params.section import PositiveFloat, Section
from ubg.params.towers import Spread, TextTower, VisionTower

Neck = Literal["batch_norm", "none"]


class Losses(Section):
    """Weights of the retrieval losses; SDM is always on."""

    sdm: PositiveFloat
    itc: PositiveFloat | None


class SharedEncoder(Section):
    """How image tokens go through the T5 encoder (phases 3 and 4).

    `image_positions`: relative position bias of image tokens, "1d" in raster order with the bias of
    the text, or "2d", a learned bias of its own over rows and columns, which starts at random with
    a standard deviation of `position_bias_std`.
    """

    pooling: Literal["mean", "cls", "last"]
    cls_token: bool
    image_positions: Literal["1d", "2d"]
    position_bias_std: Spread

    @model_validator(mode="after")
    def _token_to_pool(self) -> Self:
        if self.pooling == "cls" and not self.cls_token:
            raise ValueError("pooling: cls needs cls_token: true")
        return self


class AlignedNetwork(Network):
    """What the models of phases 1 and 2 are built from.

    Attributes:
        neck: what a pooled feature goes through before its projection, "batch_norm" or "none".
        temperature: of SDM and InfoNCE.
    """

    vision: VisionTower
    t5: TextTower
    neck: Neck
    temperature: PositiveFloat
    losses: Losses


class SharedNetwork(AlignedNetwork):
    """What the models of phases 3 and 4 are built from."""

    shared_encoder: SharedEncoder
