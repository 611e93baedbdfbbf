"""The retrieval model that the branch stands beside: that of phase 1, 2 or 3."""

from ubg.params import Phase4Network
from ubg.retrieval.contract import TowerConfigs
from ubg.systems.aligned import shared_encoder
from ubg.systems.aligned.dual_encoder import build_dual_encoder
from ubg.systems.aligned.model import AlignedModel
from ubg.towers.vision import clip_vision, siglip_vision


def build(network: Phase4Network, vocab_size: int, configs: TowerConfigs) -> AlignedModel:
    """The model of `network.beside`; random weights come from torch's global generator.

    Args:
        network: its towers and sizes.
        vocab_size: tokens that the T5 tokenizer knows.
        configs: architectures of towers as `tower_configs` gave them; for these no pretrained
            weight is fetched, and the caller loads the weights.
    """
    if network.beside == "phase3":
        return shared_encoder.build(network, vocab_size, configs)
    tower = clip_vision if network.beside == "phase1" else siglip_vision
    vision = tower(network.vision, network.image, network.attention, configs.get("vision"))
    return build_dual_encoder(vision, network, vocab_size, configs)
