"""IRRA small enough for a test."""

import sections
import torch
from tiny_models import VOCABULARY, build_model, retrieval_batch, tiny_scale

from ubg.systems.irra.word_masking import IGNORED

IDENTITIES = 5
ALL_LOSSES = {"sdm": 1.0, "itc": 1.0, "cmpm": 1.0, "id": 1.0, "mlm": 1.0}


def irra_scale(losses=ALL_LOSSES, conv_stem=False, attention="eager", **settings):
    defaults = {"temperature": 0.05, "interaction_layers": 2, "interaction_heads": 4}
    irra = sections.irra(losses, **defaults | settings)
    scale = tiny_scale(conv_stem=conv_stem, attention=attention)
    return scale.model_copy(update={"irra": irra})


def build_irra(scale, seed=0):
    torch.manual_seed(seed)
    return build_model("irra", scale, VOCABULARY, identities=IDENTITIES)


def irra_batch(size=6, hidden=True):
    """Captions under CLIP's names; the second and the last word are to be guessed."""
    batch = retrieval_batch(size)
    ids_BT = batch.pop("caption_ids_t5")
    mask_BT = batch.pop("caption_attn_mask_t5")
    scored_BT = torch.zeros_like(mask_BT, dtype=torch.bool)
    scored_BT[:, 1] = True
    scored_BT[torch.arange(size), mask_BT.sum(1) - 2] = True
    return batch | {
        "caption_ids": ids_BT,
        "caption_attn_mask": mask_BT,
        "mlm_ids": torch.where(scored_BT, VOCABULARY, ids_BT) if hidden else ids_BT.clone(),
        "mlm_labels": torch.where(scored_BT, ids_BT, IGNORED),
    }
