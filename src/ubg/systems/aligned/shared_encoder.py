"""Patch tokens and captions through one shared encoder: phases 3 and 4."""

from typing import Any

from torch import Tensor

from ubg.params import SharedNetwork
from ubg.retrieval.contract import TowerConfigs
from ubg.systems.aligned.model import AlignedModel
from ubg.towers.shared import SharedTextImageEncoder
from ubg.towers.text import t5_encoder
from ubg.towers.vision import VisionEncoder, siglip_vision


class SharedEncoderModel(AlignedModel):
    """Two passes through one T5 encoder, one per modality; gradients reach the vision tower."""

    def __init__(
        self, vision: VisionEncoder, encoder: SharedTextImageEncoder, network: SharedNetwork
    ):
        super().__init__(vision, encoder.width, encoder.width, network)
        self.encoder = encoder

    def pool_image(self, images: Tensor) -> Tensor:
        return self.encoder.pool_image(self.vision.tokens(images))

    def text_features(self, caption_ids_BT: Tensor, mask_BT: Tensor) -> tuple[Tensor, Tensor]:
        return self.encoder.text_features(caption_ids_BT, mask_BT)

    def pool_text_features(self, features_BTC: Tensor, mask_BT: Tensor) -> Tensor:
        return self.encoder.pool(features_BTC, mask_BT)

    def towers(self) -> dict[str, Any]:
        return {"vision": self.vision, "text": self.encoder.text}


def build(network: SharedNetwork, vocab_size: int, configs: TowerConfigs) -> SharedEncoderModel:
    """The model; random weights come from torch's global generator.

    Args:
        network: its towers and sizes.
        vocab_size: tokens that the T5 tokenizer knows.
        configs: architectures of towers as `tower_configs` gave them; for these no pretrained
            weight is fetched, and the caller loads the weights.
    """
    vision = siglip_vision(
        network.vision, network.image, network.attention, configs.get("vision"), pooled=False
    )
    text = t5_encoder(network.t5, vocab_size, network.attention, configs.get("text"))
    encoder = SharedTextImageEncoder(text, vision.width, vision.grid, network.shared_encoder)
    return SharedEncoderModel(vision, encoder, network)
