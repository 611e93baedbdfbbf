"""Weights of the code that IRRA's authors published, under the names that they have here."""

import re

import torch
from torch import Tensor

from ubg.towers.open_clip import convert

PREFIX = "base_model."  # of the two towers, which are named as OpenAI names CLIP's
WORDS = "text.transformer.embeddings.token_embedding.weight"

_TOWERS = (
    (r"^vision_model\.embeddings\.class_embedding$", "vision.transformer.embeddings.class_token"),
    (
        r"^vision_model\.embeddings\.position_embedding\.weight$",
        "vision.transformer.embeddings.position_embedding",
    ),
    (r"^vision_model\.", "vision.transformer."),
    (r"^visual_projection\.", "vision.projection."),
    (r"^text_model\.", "text.transformer."),
    (r"^text_projection\.", "text.projection."),
)
_OBJECTIVE = (
    (r"^classifier\.", "objective.classifier."),
    (r"^cross_attn\.", "objective.mlm.cross_attention."),
    (r"^cross_modal_transformer\.resblocks\.", "objective.mlm.transformer.layers."),
    (r"^ln_pre_t\.", "objective.mlm.text_norm."),
    (r"^ln_pre_i\.", "objective.mlm.image_norm."),
    (r"^ln_post\.", "objective.mlm.final_norm."),
    (r"^mlm_head\.dense\.", "objective.mlm.dense."),
    (r"^mlm_head\.ln\.", "objective.mlm.head_norm."),
    (r"^mlm_head\.fc\.", "objective.mlm.head."),
)


def rename_published(state: dict[str, Tensor], embeddings: int) -> dict[str, Tensor]:
    """The state dict of a published `IRRA` as one of `Irra`; names of neither stay as they are.

    There the mask token took the place of the vocabulary's last word, the third id from the end.
    Here it has an id of its own behind all others, which gets that embedding.

    Args:
        state: `base_model.*` and what trains beside it.
        embeddings: of tokens in the model to be filled.
    """
    towers = {n.removeprefix(PREFIX): value for n, value in state.items() if n.startswith(PREFIX)}
    beside = {name: value for name, value in state.items() if not name.startswith(PREFIX)}
    renamed = _rename(convert(towers, "clip"), _TOWERS)
    renamed |= _rename(convert(beside, "clip"), _OBJECTIVE)
    words_VC = renamed.get(WORDS)
    if words_VC is not None and len(words_VC) == embeddings - 1:
        renamed[WORDS] = torch.cat([words_VC, words_VC[-3:-2]])
    return renamed


def _rename(state: dict[str, Tensor], names: tuple[tuple[str, str], ...]) -> dict[str, Tensor]:
    renamed = {}
    for name, value in state.items():
        for pattern, replacement in names:
            name = re.sub(pattern, replacement, name)
        renamed[name] = value
    return renamed
