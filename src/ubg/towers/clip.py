"""CLIP's two towers (arXiv 2103.00020), projected to one space."""

from collections.abc import Mapping
from typing import Any

from ubg.params import ClipNetwork
from ubg.towers.clip_text import ClipTextEncoder, clip_text
from ubg.towers.vision import VisionEncoder, clip_vision


def clip_towers(
    network: ClipNetwork, vocab_size: int, configs: Mapping[str, dict[str, Any]]
) -> tuple[VisionEncoder, ClipTextEncoder]:
    """Vision and text; random weights come from torch's global generator.

    Args:
        network: their sizes, or the pretrained weights by name.
        vocab_size: tokens that the tokenizer knows.
        configs: architectures, "vision" and "text", of towers saved earlier; for these no
            pretrained weight is fetched, and the caller loads the weights.

    Raises:
        ValueError: a pretrained tower cannot be loaded or does not fit; its vocabulary is smaller
            than the tokenizer's.
    """
    attention, dim = network.attention, network.embedding_dim
    vision = clip_vision(
        network.clip, network.image, attention, configs.get("vision"), projection_dim=dim
    )
    text = clip_text(network.clip_text, dim, network.max_tokens, attention, configs.get("text"))
    embeddings = text.transformer.get_input_embeddings().num_embeddings
    if embeddings < vocab_size:
        raise ValueError(
            f"towers.clip_text: has {embeddings} token embeddings for a tokenizer of {vocab_size}; "
            "give the size of the tokenizer, or the tower that it belongs to"
        )
    return vision, text
