"""Phase 3: SigLIP's patch tokens and the caption through one shared T5 encoder, aligned by SDM."""

from torch import Tensor, nn

from ubg.models.aligned import AlignedModel
from ubg.models.contract import TowerConfigs
from ubg.models.towers.shared import SharedTextImageEncoder
from ubg.models.towers.text import t5_encoder
from ubg.models.towers.vision import VisionEncoder, siglip_vision
from ubg.params import Scale


class SharedEncoderModel(AlignedModel):
    """Two passes through one T5 encoder, one per modality; gradients reach the vision tower."""

    def __init__(
        self,
        vision: VisionEncoder,
        encoder: SharedTextImageEncoder,
        embedding_dim: int,
        temperature: float,
        with_itc: bool,
    ):
        super().__init__(vision, encoder.width, encoder.width, embedding_dim, temperature, with_itc)
        self.encoder = encoder

    def pool_image(self, images: Tensor) -> Tensor:
        return self.encoder.pool_image(self.vision.tokens(images))

    def pool_text(self, caption_ids_BT: Tensor, mask_BT: Tensor) -> Tensor:
        return self.encoder.pool_text(caption_ids_BT, mask_BT)

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
