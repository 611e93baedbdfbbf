"""The last layer of a CLIP transformer for some tokens, without the work for all others."""

from collections.abc import Iterable

import torch
from torch import Tensor
from transformers.models.clip.modeling_clip import CLIPEncoderLayer


def token_of_last_layer(
    layers: Iterable[CLIPEncoderLayer],
    hidden_BLC: Tensor,
    index_B: Tensor,
    mask_BhLL: Tensor | None = None,
) -> Tensor:
    """The token at `index_B` after all layers of a CLIP tower, [B, C].

    The last layer is computed for that token alone, without keys and values. For a single query q
    it is cheaper to apply the key weights W to q: q.(W x + b) = (W'q).x + q.b, where q.b is the
    same for all x and cancels in the softmax. Likewise, the weighted mean of the values is the
    value of the weighted mean. Both are done head by head.

    Args:
        layers: CLIP's, in evaluation mode; the weights of the last one's projections are read.
        hidden_BLC: what the first of them is given.
        index_B: long.
        mask_BhLL: added to the scores of attention.
    """
    hidden_BLC, last = up_to_the_last(layers, hidden_BLC, mask_BhLL)
    rows_B = torch.arange(len(hidden_BLC), device=hidden_BLC.device)
    attention, normed_BLC = last.self_attn, last.layer_norm1(hidden_BLC)
    key_hdC, value_hdC = (
        projection.weight.unflatten(0, (attention.num_heads, -1))
        for projection in (attention.k_proj, attention.v_proj)
    )
    query_BC = attention.q_proj(normed_BLC[rows_B, index_B]) * attention.scale
    query_Bhd = query_BC.unflatten(1, (attention.num_heads, -1))
    scores_BhL = torch.einsum("bhd,hdc->bhc", query_Bhd, key_hdC) @ normed_BLC.mT
    if mask_BhLL is not None:
        scores_BhL = scores_BhL + mask_BhLL[rows_B, :, index_B]
    mean_BhC = scores_BhL.softmax(-1) @ normed_BLC
    attended_BC = torch.einsum("bhc,hdc->bhd", mean_BhC, value_hdC).flatten(1)
    attended_BC = attention.out_proj(attended_BC + attention.v_proj.bias)
    hidden_BC = hidden_BLC[rows_B, index_B] + attended_BC
    return hidden_BC + last.mlp(last.layer_norm2(hidden_BC))


def tokens_of_last_layer(
    layers: Iterable[CLIPEncoderLayer],
    hidden_BLC: Tensor,
    chosen_BL: Tensor,
    mask_BhLL: Tensor | None = None,
) -> Tensor:
    """The tokens chosen after all layers of a CLIP transformer, [P, C], sample after sample.

    The last MLP, the largest part of a layer, skips all other tokens. No dropout, as in CLIP.

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
