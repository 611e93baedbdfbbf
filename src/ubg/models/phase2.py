"""Phase 2: SigLIP's vision tower and the T5 encoder, aligned by SDM."""

from ubg.models.dual_encoder import DualEncoder
from ubg.models.towers.text import t5_encoder
from ubg.models.towers.vision import siglip_vision
from ubg.params import Scale


def build(params: Scale, vocab_size: int) -> DualEncoder:
    """The untrained (or pretrained) model; random weights come from torch's global generator."""
    return DualEncoder(
        vision=siglip_vision(params.towers.siglip, params.image),
        text=t5_encoder(params.towers.t5, vocab_size),
        embedding_dim=params.embedding_dim,
        temperature=params.temperature,
        with_itc=params.losses.itc is not None,
    )
