"""What every model promises: to training, to evaluation and to library use."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from torch import Tensor, nn

from ubg.data.images.normalisation import Normalisation
from ubg.data.text.captions import T5_FIELDS
from ubg.params import LrFactors

TowerConfigs = dict[str, dict[str, Any]]


class RetrievalModel(nn.Module, ABC):
    """A model that embeds images and captions in one space and knows its losses.

    Legend: B batch, T tokens, D shared dimension.

    Attributes:
        normalisation: of the images.
        normalisations: of the images that a query may hold, by the part that they are; none where
            queries are text alone. There are as many channels as means.
        caption_fields: names in a batch of the captions' token ids and of their mask.
        per_identity: how names of weights begin that are of a row for each training identity.
        inner: submodules whose parts are told as if they were parts of this model.
    """

    normalisation: Normalisation
    normalisations: Mapping[str, Normalisation] = MappingProxyType({})
    caption_fields: tuple[str, str] = T5_FIELDS
    per_identity: tuple[str, ...] = ()
    inner: tuple[str, ...] = ()

    @abstractmethod
    def forward(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """A batch to its unweighted losses, each key ending in `_loss`.

        Over several processes a loss is that of all their samples: see `ubg.runtime.distributed`.
        """

    @abstractmethod
    def encode_image(self, images: Tensor) -> Tensor:
        """Normalised images [B, 3, H, W] to unit vectors [B, D]."""

    @abstractmethod
    def encode_text(self, text: dict[str, Tensor]) -> Tensor:
        """The caption fields of a batch to unit vectors [B, D]."""

    def encode_query(self, parts: Mapping[str, dict[str, Tensor]]) -> Tensor:
        """Queries of one part or several to unit vectors [B, D].

        Args:
            parts: maps "text" to caption fields, and a name of `normalisations` to `images`,
                normalised [B, C, H, W]. Systems with other parts than text override this.

        Raises:
            ValueError: the system does not support one of these parts.
        """
        if parts.keys() != {"text"}:
            raise ValueError(f"this model is asked by text alone, not by {', '.join(parts)}")
        return self.encode_text(parts["text"])

    def towers(self) -> dict[str, Any]:
        """Towers by name: modules with a `transformer`, and whether it is `pretrained`."""
        return {}

    def tower_configs(self) -> TowerConfigs:
        """The architectures of the towers, from which they can be built without their source."""
        return {name: tower.transformer.config.to_dict() for name, tower in self.towers().items()}

    def saved_parts(self) -> dict[str, nn.Module]:
        """What is saved of a trained model, a file each: "model" is all that retrieval needs."""
        return {"model": self}

    def own_names(self, state: dict[str, Tensor]) -> dict[str, Tensor]:
        """Weights of the system's published code under the names that they have here."""
        return state

    def pretrained_modules(self) -> list[nn.Module]:
        """Modules that hold pretrained weights; all others start at random."""
        return [tower for tower in self.towers().values() if tower.pretrained]

    def lr_factors(self) -> list[tuple[nn.Module, LrFactors]]:
        """Modules that learn at factors of their own, in place of those that the params name."""
        return []


class Read(NamedTuple):
    """What one pass over a batch gives. B batch, T tokens, C width of a feature.

    Attributes:
        losses: unweighted, as `RetrievalModel.forward` returns them.
        features_BTC: of the tokens of the captions.
        mask_BT: of these.
        pooled_BC: what retrieval makes of them.
    """

    losses: dict[str, Tensor]
    features_BTC: Tensor
    mask_BT: Tensor
    pooled_BC: Tensor


class TokenModel(RetrievalModel):
    """A model whose captions have features of their tokens, which a branch beside it may read.

    Attributes:
        text_width: C, of these features.
    """

    text_width: int

    @abstractmethod
    def read(self, batch: dict[str, Tensor]) -> Read:
        """The losses of a batch, and its captions as they were encoded for them."""

    @abstractmethod
    def text_features(self, caption_ids_BT: Tensor, mask_BT: Tensor) -> tuple[Tensor, Tensor]:
        """Captions to features of their tokens [B, T, C] and the mask of these [B, T]."""

    @abstractmethod
    def pool_text_features(self, features_BTC: Tensor, mask_BT: Tensor) -> Tensor:
        """What `text_features` gives to one feature for each caption, [B, C]."""

    def forward(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        return self.read(batch).losses
