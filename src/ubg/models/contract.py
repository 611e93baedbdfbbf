"""What every system promises to the training loop, to evaluation and to library use."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from ubg.data.captions import T5_FIELDS

TowerConfigs = dict[str, dict[str, Any]]


@dataclass(frozen=True)
class Normalisation:
    """Mean and standard deviation of each channel of pixels in [0, 1], as a tower expects them."""

    mean: tuple[float, float, float]
    std: tuple[float, float, float]


class RetrievalModel(nn.Module, ABC):
    """A model that embeds images and captions in one space and knows its losses.

    Legend: B batch, T tokens, D shared dimension.

    Attributes:
        normalisation: of the images.
        caption_fields: names in a batch of the captions' token ids and of their mask.
    """

    normalisation: Normalisation
    caption_fields: tuple[str, str] = T5_FIELDS

    @abstractmethod
    def forward(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """A batch to its unweighted losses, each key ending in `_loss`.

        Over several processes a loss is that of all their samples: see `ubg.distributed`.
        """

    @abstractmethod
    def encode_image(self, images: Tensor) -> Tensor:
        """Normalised images [B, 3, H, W] to unit vectors [B, D]."""

    @abstractmethod
    def encode_text(self, text: dict[str, Tensor]) -> Tensor:
        """The caption fields of a batch to unit vectors [B, D]."""

    @abstractmethod
    def tower_configs(self) -> TowerConfigs:
        """The architectures of the towers, from which they can be built without their source."""

    def saved_parts(self) -> dict[str, nn.Module]:
        """What is saved of a trained model, a file each: "model" is all that retrieval needs."""
        return {"model": self}

    @abstractmethod
    def pretrained_modules(self) -> list[nn.Module]:
        """Modules that hold pretrained weights; all others start at random."""
