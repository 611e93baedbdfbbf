"""Pooled features of both modalities in one space: what phases 1 to 4 share."""

from abc import abstractmethod

from torch import Tensor, nn
from torch.nn import functional as F

from ubg.losses.itc import itc_loss
from ubg.losses.sdm import sdm_loss
from ubg.params import AlignedNetwork
from ubg.retrieval.contract import RetrievalModel
from ubg.runtime.distributed import gather_features, gather_labels
from ubg.towers.batch_norm import FeatureNorm
from ubg.towers.vision import VisionEncoder


class AlignedModel(RetrievalModel):
    """A pooled feature of each image and caption, projected to D dimensions and aligned by SDM.

    Legend: B batch, N batches of all processes, T tokens, L features of a caption, C width of a
    feature, D shared dimension.

    Args:
        vision: its normalisation is the model's.
        image_width: C of `pool_image`.
        text_width: C of `pool_text`.
        network: D, the neck, the temperature of the losses, and whether InfoNCE is one of them.

    Attributes:
        text_width: C of `text_features` and `pool_text`.
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

    @abstractmethod
    def text_features(self, caption_ids_BT: Tensor, mask_BT: Tensor) -> tuple[Tensor, Tensor]:
        """Captions to features of their tokens [B, L, C] and the mask of these [B, L]."""

    @abstractmethod
    def pool_text_features(self, features_BLC: Tensor, mask_BL: Tensor) -> Tensor:
        """What `text_features` gives to one feature for each caption, [B, C]."""

    def pool_text(self, caption_ids_BT: Tensor, mask_BT: Tensor) -> Tensor:
        """Captions to [B, C]."""
        return self.pool_text_features(*self.text_features(caption_ids_BT, mask_BT))

    def forward(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """The retrieval losses of a batch, unweighted; over all processes' samples.

        Args:
            batch: `images` [B, 3, H, W], `caption_ids_t5` and `caption_attn_mask_t5` [B, T],
                `pids` [B].
        """
        image_BD, text_BD = self.encode_image(batch["images"]), self.encode_text(batch)
        return self.losses(image_BD, text_BD, batch["pids"])

    def losses(self, image_BD: Tensor, text_BD: Tensor, pids_B: Tensor) -> dict[str, Tensor]:
        """As `forward`, from this process's embeddings and identities."""
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
