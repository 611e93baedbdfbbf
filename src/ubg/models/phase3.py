"""Phase 3: SigLIP's patch tokens and the caption through one shared T5 encoder, aligned by SDM."""

from torch import Tensor, nn
from torch.nn import functional as F

from ubg.losses import itc_loss, sdm_loss
from ubg.models.contract import RetrievalModel, TowerConfigs
from ubg.models.dual_encoder import projection
from ubg.models.towers.shared import SharedTextImageEncoder
from ubg.models.towers.text import t5_encoder
from ubg.models.towers.vision import VisionEncoder, siglip_vision
from ubg.params import Scale


class SharedEncoderModel(RetrievalModel):
    """Two passes through the same T5 encoder, one per modality; gradients reach the vision tower.

    Legend: B batch, T tokens, D shared dimension.
    """

    def __init__(
        self,
        vision: VisionEncoder,
        encoder: SharedTextImageEncoder,
        embedding_dim: int,
        temperature: float,
        with_itc: bool,
    ):
        super().__init__()
        self.vision = vision
        self.normalisation = vision.normalisation
        self.encoder = encoder
        self.image_projection = projection(encoder.width, embedding_dim)
        self.text_projection = projection(encoder.width, embedding_dim)
        self.logit_scale = 1 / temperature
        self.with_itc = with_itc

    def forward(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """The retrieval losses of a batch, unweighted; its fields are those of `DualEncoder`."""
        image_BD = self.encode_image(batch["images"])
        text_BD = self.encode_text(batch)
        losses = {"sdm_loss": sdm_loss(image_BD, text_BD, batch["pids"], self.logit_scale)}
        if self.with_itc:
            losses["itc_loss"] = itc_loss(image_BD, text_BD, self.logit_scale)
        return losses

    def encode_image(self, images: Tensor) -> Tensor:
        """Images [B, 3, H, W], normalised for the tower, to unit vectors [B, D]."""
        pooled = self.encoder.pool_image(self.vision.tokens(images))
        return F.normalize(self.image_projection(pooled).float(), dim=-1)

    def encode_text(self, text: dict[str, Tensor]) -> Tensor:
        """`caption_ids_t5` and `caption_attn_mask_t5`, both [B, T], to unit vectors [B, D]."""
        pooled = self.encoder.pool_text(text["caption_ids_t5"], text["caption_attn_mask_t5"])
        return F.normalize(self.text_projection(pooled).float(), dim=-1)

    def tower_configs(self) -> TowerConfigs:
        return {
            "vision": self.vision.transformer.config.to_dict(),
            "text": self.encoder.text.transformer.config.to_dict(),
        }

    def pretrained_modules(self) -> list[nn.Module]:
        return [tower for tower in (self.vision, self.encoder.text) if tower.pretrained]


def build(
    params: Scale, vocab_size: int, configs: TowerConfigs | None = None
) -> SharedEncoderModel:
    """The model; see `phase2.build`."""
    configs = configs or {}
    towers = params.towers
    vision = siglip_vision(
        towers.siglip, params.image, towers.attention, configs.get("vision"), pooled=False
    )
    text = t5_encoder(towers.t5, vocab_size, towers.attention, configs.get("text"))
    return SharedEncoderModel(
        vision=vision,
        encoder=SharedTextImageEncoder(text, vision.width, vision.grid, params.shared_encoder),
        embedding_dim=params.embedding_dim,
        temperature=params.temperature,
        with_itc=params.losses.itc is not None,
    )
