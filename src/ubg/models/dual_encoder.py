"""Two towers, one space: what phases 1 and 2 share."""

from torch import Tensor, nn
from torch.nn import functional as F

from ubg.losses import itc_loss, sdm_loss
from ubg.models.contract import RetrievalModel, TowerConfigs
from ubg.models.towers.text import TextEncoder, masked_mean
from ubg.models.towers.vision import VisionEncoder


class DualEncoder(RetrievalModel):
    """A pooled image tower and a mean-pooled text tower, each projected to D dimensions.

    Legend: B batch, T tokens, D shared dimension.
    """

    def __init__(
        self,
        vision: VisionEncoder,
        text: TextEncoder,
        embedding_dim: int,
        temperature: float,
        with_itc: bool,
    ):
        super().__init__()
        self.vision = vision
        self.normalisation = vision.normalisation
        self.text = text
        self.image_projection = projection(vision.width, embedding_dim)
        self.text_projection = projection(text.width, embedding_dim)
        self.logit_scale = 1 / temperature
        self.with_itc = with_itc

    def forward(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """The retrieval losses of a batch, unweighted.

        Args:
            batch: `images` [B, 3, H, W], `caption_ids_t5` and `caption_attn_mask_t5` [B, T],
                `pids` [B].
        """
        image_BD = self.encode_image(batch["images"])
        text_BD = self.encode_text(batch)
        losses = {"sdm_loss": sdm_loss(image_BD, text_BD, batch["pids"], self.logit_scale)}
        if self.with_itc:
            losses["itc_loss"] = itc_loss(image_BD, text_BD, self.logit_scale)
        return losses

    def encode_image(self, images: Tensor) -> Tensor:
        """Images [B, 3, H, W], normalised for the tower, to unit vectors [B, D]."""
        _, pooled = self.vision(images)
        return F.normalize(self.image_projection(pooled).float(), dim=-1)

    def encode_text(self, text: dict[str, Tensor]) -> Tensor:
        """`caption_ids_t5` and `caption_attn_mask_t5`, both [B, T], to unit vectors [B, D]."""
        mask = text["caption_attn_mask_t5"]
        pooled = masked_mean(self.text(text["caption_ids_t5"], mask), mask)
        return F.normalize(self.text_projection(pooled).float(), dim=-1)

    def tower_configs(self) -> TowerConfigs:
        return {
            "vision": self.vision.transformer.config.to_dict(),
            "text": self.text.transformer.config.to_dict(),
        }

    def pretrained_modules(self) -> list[nn.Module]:
        return [tower for tower in (self.vision, self.text) if tower.pretrained]


def projection(width: int, embedding_dim: int) -> nn.Linear:
    """A linear map to the shared space that keeps the scale of its input."""
    layer = nn.Linear(width, embedding_dim)
    nn.init.normal_(layer.weight, std=width**-0.5)
    nn.init.zeros_(layer.bias)
    return layer
