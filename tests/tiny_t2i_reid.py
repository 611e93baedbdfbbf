"""t2i_reid small enough for a test."""

import sections
import torch
from tiny_models import VOCABULARY, network_of, retrieval_batch, tiny_scale

from ubg.systems.t2i_reid.model import build
from ubg.systems.t2i_reid.objective import Sizes, with_objective

SIZES = Sizes(persons=4, identity_words=7, clothing_words=9)
EVERY_LOSS = {
    "cls": 1.0,
    "cloth": 0.5,
    "cloth_adv": 0.1,
    "decouple": 0.3,
    "hsic": 0.2,
    "bio": 0.1,
    "composed": 0.4,
}


def t2i_reid_scale(losses=None, attention="eager", conv_stem=False, **settings):
    params = sections.t2i_reid(EVERY_LOSS if losses is None else losses, **settings)
    return tiny_scale(attention=attention, conv_stem=conv_stem).model_copy(
        update={"t2i_reid": params}
    )


def build_t2i_reid(scale, seed=0):
    torch.manual_seed(seed)
    network = network_of("t2i_reid", scale)
    model = build(network, VOCABULARY, {})
    return with_objective(model, scale.t2i_reid, model.branches.dim, SIZES)


def t2i_reid_batch(size=6, alpha=0.5):
    """Samples 0 and 1 of one person in two outfits; 1 and 2 in one outfit; all captions their own.

    Identity captions of 0, 1 and 3 have the same words, clothing captions of 4 and 5.
    """
    batch = retrieval_batch(size)
    ids, mask = (batch.pop(f"{name}_t5") for name in ("caption_ids", "caption_attn_mask"))
    generator = torch.Generator().manual_seed(1)
    words = {
        f"{kind}_words": torch.rand(size, count, generator=generator) < 0.4
        for kind, count in (("identity", 7), ("clothing", 9))
    }
    fields = {
        "caption_ids_bert": ids,
        "caption_attn_mask_bert": mask,
        "identity_ids": ids.flip(0),
        "identity_mask": mask.flip(0),
        "clothing_ids": ids.roll(1, 0),
        "clothing_mask": mask.roll(1, 0),
        "persons": torch.tensor([0, 0, 1, 2, 3, 2])[:size],
        "outfits": torch.tensor([0, 1, 1, 2, 3, 4])[:size],
        "identity_texts": torch.tensor([0, 0, 1, 0, 2, 3])[:size],
        "clothing_texts": torch.tensor([0, 1, 2, 3, 4, 4])[:size],
        "is_matched": torch.ones(size, dtype=torch.bool),
        "identity_there": torch.ones(size, dtype=torch.bool),
        "clothing_there": torch.ones(size, dtype=torch.bool),
        "grl_alpha": torch.full((size,), alpha),
        "other_images": batch["images"].roll(1, 0),
        "other_there": torch.ones(size, dtype=torch.bool),
    }
    return batch | fields | words
