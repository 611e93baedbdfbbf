"""The last layer of a CLIP transformer for some tokens, without the work for all others."""

from collections.abc import Iterable

import torch
from torch import Tensor
from torch.nn import functional as F
from transformers.models.clip.modeling_clip import CLIPEncoderLayer


def token_of_last_layer(
    layers: Iterable[CLIPEncoderLayer],
    hidden_BLC: Tensor,
    index_B: Tensor,
    mask_BhLL: Tensor | None = None,
) -> Tensor:
    """The token at `index_B` after all layers of a CLIP tower, [B, C].

    The last layer makes keys and values of all tokens and the rest of that one, which saves five
    sixths of its linear maps.

    Args:
        layers: CLIP's, in evaluation mode.
        hidden_BLC: what the first of them is given.
        index_B: long.
        mask_BhLL: added to the scores of attention.
    """
    hidden_BLC, last = up_to_the_last(layers, hidden_BLC, mask_BhLL)
    rows_B = torch.arange(len(hidden_BLC), device=hidden_BLC.device)
    attention, normed_BLC = last.self_attn, last.layer_norm1(hidden_BLC)
    query_BhLd, key_BhLd, value_BhLd = (
        projection(tokens).unflatten(-1, (attention.num_heads, -1)).transpose(1, 2)
        for projection, tokens in (
            (attention.q_proj, normed_BLC[rows_B, index_B][:, None]),
            (attention.k_proj, normed_BLC),
            (attention.v_proj, normed_BLC),
        )
    )
    mask_Bh1L = None if mask_BhLL is None else mask_BhLL[rows_B, :, index_B][:, :, None]
    attended_Bh1d = F.scaled_dot_product_attention(query_BhLd, key_BhLd, value_BhLd, mask_Bh1L)
    hidden_BC = hidden_BLC[rows_B, index_B] + attention.out_proj(attended_Bh1d.flatten(1))
    return hidden_BC + last.mlp(last.layer_norm2(hidden_BC))


def tokens_of_last_layer(
    layers: Iterable[CLIPEncoderLayer],
    hidden_BLC: Tensor,
    chosen_BL: Tensor,
    mask_BhLL: Tensor | None = None,
) -> Tensor:
    """The tokens chosen after all layers of a CLIP transformer, [P, C], sample after sample.

    The last MLP, which is most of a layer, is spared the others. Dropout is off, as CLIP's is.

    Args:
        layers: CLIP's.
        hidden_BLC: what the first of them is given.
        chosen_BL: bool, P times True.
        mask_BhLL: added to the scores of attention.
    """
    hidden_BLC, last = up_to_the_last(layers, hidden_BLC, mask_BhLL)
    attended_BLC, _ = last.self_attn(last.layer_norm1(hidden_BLC), attention_mask=mask_BhLL)
    hidden_PC = (hidden_BLC + attended_BLC)[chosen_BL]
    return hidden_PC + last.mlp(last.layer_norm2(hidden_PC))


def up_to_the_last(
    layers: Iterable[CLIPEncoderLayer], hidden_BLC: Tensor, mask_BhLL: Tensor | None
) -> tuple[Tensor, CLIPEncoderLayer]:
    """What the last layer is given, [B, L, C], and that layer."""
    *earlier, last = layers
    for layer in earlier:
        output = layer(hidden_BLC, mask_BhLL)
        hidden_BLC = output if isinstance(output, Tensor) else output[0]
    return hidden_BLC, last
