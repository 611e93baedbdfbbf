"""Two towers, one space: phases 1 and 2."""

from typing import Any

from torch import Tensor

from ubg.params import AlignedNetwork
from ubg.retrieval.contract import TowerConfigs
from ubg.systems.aligned.model import AlignedModel
from ubg.towers.text import TextEncoder, masked_mean, t5_encoder
from ubg.towers.vision import VisionEncoder


class DualEncoder(AlignedModel):
    """A pooled image tower and a mean-pooled text tower."""

    def __init__(self, vision: VisionEncoder, text: TextEncoder, network: AlignedNetwork):
        super().__init__(vision, vision.width, text.width, network)
        self.text = text

    def pool_image(self, images: Tensor) -> Tensor:
        return self.vision(images)[1]

    def text_features(self, caption_ids_BT: Tensor, mask_BT: Tensor) -> tuple[Tensor, Tensor]:
        return self.text(caption_ids_BT, mask_BT), mask_BT

    def pool_text_features(self, features_BTC: Tensor, mask_BT: Tensor) -> Tensor:
        return masked_mean(features_BTC, mask_BT)

    def towers(self) -> dict[str, Any]:
        return {"vision": self.vision, "text": self.text}


def build_dual_encoder(
    vision: VisionEncoder, network: AlignedNetwork, vocab_size: int, configs: TowerConfigs
) -> DualEncoder:
    """The model of phase 1 or 2; random weights come from torch's global generator.

    Args:
        vision: its image tower.
        network: its towers and sizes.
        vocab_size: tokens that the T5 tokenizer knows.
        configs: the architecture of "text" as `tower_configs` gave it; then no pretrained weight is
            fetched, and the caller loads the weights.
    """
    text = t5_encoder(network.t5, vocab_size, network.attention, configs.get("text"))
    return DualEncoder(vision, text, network)
