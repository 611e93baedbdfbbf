"""CLIP's text transformer, whose tokens lie in the space of its projected image tokens."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

from ubg.params import ClipTextTower
from ubg.towers.attention_mask import additive_mask
from ubg.towers.one_token import token_of_last_layer
from ubg.towers.pretrained import load_tower
from ubg.towers.projection import check_projection, new_projection
from ubg.towers.quick_gelu import replace_quick_gelu


class ClipTextEncoder(nn.Module):
    """Token ids [B, T] and their mask [B, T] to projected token features [B, T, D].

    All tokens go through the final layer norm and the projection, as in IRRA (arXiv 2303.12501);
    CLIP itself projects the final token (EOT) alone. Attention is causal, so that no token sees
    those behind it; padding is to follow the caption.
    """

    def __init__(self, transformer: CLIPTextModel, projection: nn.Linear, pretrained: bool):
        super().__init__()
        self.transformer = transformer
        self.projection = projection
        self.width: int = projection.out_features
        self.pretrained = pretrained

    def forward(self, caption_ids_BT: Tensor, mask_BT: Tensor) -> Tensor:
        output = self.transformer(input_ids=caption_ids_BT, attention_mask=mask_BT)
        return self.projection(output.last_hidden_state)

    def final_token(self, caption_ids_BT: Tensor, mask_BT: Tensor) -> Tensor:
        """The feature of each caption's final token (EOT) alone, [B, D], in evaluation mode."""
        body = getattr(self.transformer, "text_model", self.transformer)
        batch, length = caption_ids_BT.shape
        # Padding follows the caption, so that no token in question sees it.
        seen_TT = torch.ones(length, length, device=mask_BT.device).tril()
        mask_BhTT = additive_mask(seen_TT)[:, 0, 0].expand(batch, 1, -1, -1)
        hidden_BC = token_of_last_layer(
            body.encoder.layers, body.embeddings(caption_ids_BT), mask_BT.sum(1) - 1, mask_BhTT
        )
        return self.projection(body.final_layer_norm(hidden_BC))


def clip_text(
    params: ClipTextTower,
    projection_dim: int,
    max_tokens: int,
    attention: str,
    config: dict[str, Any] | None = None,
) -> ClipTextEncoder:
    """CLIP's text transformer (arXiv 2103.00020) for captions of up to `max_tokens` tokens.

    Args:
        params: sizes or the name of a pretrained model.
        projection_dim: D of the projected tokens; a pretrained model's own.
        max_tokens: positions, with the first and the final token; those of a pretrained model are
            resized to it once.
        attention: implementation, "sdpa" or "eager".
        config: architecture of a tower saved earlier; its weights are to be loaded by the caller.

    Raises:
        ValueError: the pretrained model cannot be loaded, projects to another size, or is of
            another tokenizer.
    """
    if config is None and params.pretrained is not None:
        whole = load_tower(
            CLIPTextModelWithProjection, params.pretrained, "clip", "text", params.architecture
        )
        check_projection(whole.text_projection, projection_dim, params.pretrained)
        model, projection = whole.text_model, whole.text_projection
        if model.config.vocab_size != params.vocab_size:
            raise ValueError(
                f"{params.pretrained}: has {model.config.vocab_size} token embeddings for a "
                f"tokenizer of {params.vocab_size}; if they are right, give clip_text.vocab_size"
            )
    else:
        if config is None:
            kind = CLIPTextConfig(
                vocab_size=params.vocab_size,
                hidden_size=params.width,
                num_hidden_layers=params.layers,
                num_attention_heads=params.heads,
                intermediate_size=params.mlp_width,
                max_position_embeddings=max_tokens,
                hidden_act="quick_gelu",
            )
        else:
            kind = CLIPTextConfig.from_dict(config)
        model = CLIPTextModel(kind)
        projection = new_projection(kind.hidden_size, projection_dim)
    replace_quick_gelu(model)
    _fit_to_length(model, max_tokens)
    model.set_attn_implementation(attention)
    return ClipTextEncoder(model, projection, params.pretrained is not None)


def resize_text_positions(positions_LC: Tensor, length: int) -> Tensor:
    """Positions of L tokens resized linearly to `length` of them."""
    if length == len(positions_LC):
        return positions_LC
    return F.interpolate(positions_LC.T[None], size=length, mode="linear")[0].T.contiguous()


def _fit_to_length(model: CLIPTextModel, max_tokens: int) -> None:
    embeddings = model.embeddings
    positions = resize_text_positions(embeddings.position_embedding.weight.detach(), max_tokens)
    embeddings.position_embedding = nn.Embedding.from_pretrained(positions, freeze=False)
    embeddings.position_ids = torch.arange(max_tokens)[None]
    model.config.max_position_embeddings = max_tokens
