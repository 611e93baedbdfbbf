"""Phase 1: CLIP's vision transformer and the T5 encoder, aligned by SDM."""

from ubg.models.contract import TowerConfigs
from ubg.models.dual_encoder import DualEncoder
from ubg.models.towers.text import t5_encoder
from ubg.models.towers.vision import clip_vision
from ubg.params import Scale


def build(params: Scale, vocab_size: int, configs: TowerConfigs | None = None) -> DualEncoder:
    """The model; random weights come from torch's global generator.

    Args:
        params: towers, embedding size, losses.
        vocab_size: tokens that the T5 tokenizer knows.
        configs: architectures of the towers as `tower_configs` gave them; then no pretrained weight
            is fetched, and the caller loads the weights.
    """
    configs = configs or {}
    towers = params.towers
    return DualEncoder(
        vision=clip_vision(towers.clip, params.image, towers.attention, configs.get("vision")),
        text=t5_encoder(towers.t5, vocab_size, towers.attention, configs.get("text")),
        embedding_dim=params.embedding_dim,
        temperature=params.temperature,
        with_itc=params.losses.itc is not None,
    )
