"""Pooled features of both modalities in one space: what phases 1 to 4 share."""

from abc import abstractmethod

from torch import Tensor, nn
from torch.nn import functional as F

from ubg.losses.itc import itc_loss
from ubg.losses.sdm import sdm_loss
from ubg.params import AlignedNetwork
from ubg.retrieval.contract import Read, TokenModel
from ubg.runtime.distributed import gather_features, gather_labels
from ubg.towers.batch_norm import FeatureNorm
from ubg.towers.vision import VisionEncoder


class AlignedModel(TokenModel):
    """A pooled feature of each image and caption, projected to D dimensions and aligned by SDM.

    Legend: B batch, N batches of all processes, T tokens, C width of a feature, D shared
    dimension.

    Args:
        vision: its normalisation is the model's.
        image_width: C of `pool_image`.
        text_width: C of `pool_text`.
        network: D, the neck, the temperature of the losses, and whether InfoNCE is one of them.
    """

    def __init__(
        self, vision: VisionEncoder, image_width: int, text_width: int, network: AlignedNetwork
    ):
        super().__init__()
        self.vision = vision
        self.normalisation = vision.normalisation
        self.text_width = text_width
        with_norm = network.neck == "batch_norm"
        self.image_neck = FeatureNorm(image_width) if with_norm else nn.Identity()
        self.text_neck = FeatureNorm(text_width) if with_norm else nn.Identity()
        self.image_projection = _projection(image_width, network.embedding_dim)
        self.text_projection = _projection(text_width, network.embedding_dim)
        self.logit_scale = 1 / network.temperature
        self.with_itc = network.losses.itc is not None

    @abstractmethod
    def pool_image(self, images: Tensor) -> Tensor:
        """Images [B, 3, H, W], normalised for the tower, to [B, C]."""

    def pool_text(self, caption_ids_BT: Tensor, mask_BT: Tensor) -> Tensor:
        """Captions to [B, C]."""
        return self.pool_text_features(*self.text_features(caption_ids_BT, mask_BT))

    def read(self, batch: dict[str, Tensor]) -> Read:
        """The losses, over all processes' samples, and the captions as they were encoded.

        Args:
            batch: `images` [B, 3, H, W], `caption_ids_t5` and `caption_attn_mask_t5` [B, T],
                `pids` [B].
        """
        image_BD = self.encode_image(batch["images"])
        features_BTC, mask_BT = self.text_features(
            batch["caption_ids_t5"], batch["caption_attn_mask_t5"]
        )
        pooled_BC = self.pool_text_features(features_BTC, mask_BT)
        losses = self._losses(image_BD, self.embed_text(pooled_BC), batch["pids"])
        return Read(losses, features_BTC, mask_BT, pooled_BC)

    def _losses(self, image_BD: Tensor, text_BD: Tensor, pids_B: Tensor) -> dict[str, Tensor]:
        image_ND, text_ND = gather_features(image_BD), gather_features(text_BD)
        pids_N = gather_labels(pids_B)
        losses = {"sdm_loss": sdm_loss(image_ND, text_ND, pids_N, self.logit_scale)}
        if self.with_itc:
            losses["itc_loss"] = itc_loss(image_ND, text_ND, self.logit_scale)
        return losses

    def encode_image(self, images: Tensor) -> Tensor:
        return self.embed_image(self.pool_image(images))

    def encode_text(self, text: dict[str, Tensor]) -> Tensor:
        """`caption_ids_t5` and `caption_attn_mask_t5`, both [B, T], to unit vectors [B, D]."""
        return self.embed_text(self.pool_text(text["caption_ids_t5"], text["caption_attn_mask_t5"]))

    def embed_image(self, pooled_BC: Tensor) -> Tensor:
        """Pooled features of images to unit vectors [B, D]."""
        return F.normalize(self.image_projection(self.image_neck(pooled_BC)).float(), dim=-1)

    def embed_text(self, pooled_BC: Tensor) -> Tensor:
        """Pooled features of captions to unit vectors [B, D]."""
        return F.normalize(self.text_projection(self.text_neck(pooled_BC)).float(), dim=-1)


def _projection(width: int, embedding_dim: int) -> nn.Linear:
    """A linear map to the shared space that keeps the scale of its input."""
    layer = nn.Linear(width, embedding_dim)
    nn.init.normal_(layer.weight, std=width**-0.5)
    nn.init.zeros_(layer.bias)
    return layer
