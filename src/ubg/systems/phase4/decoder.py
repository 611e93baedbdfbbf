"""A T5 decoder over VQ codes: all positions at once, or one after the other."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from transformers import T5Config
from transformers.models.t5.modeling_t5 import T5Stack

from ubg.params import Tower
from ubg.towers.attention_mask import additive_mask
from ubg.towers.relative_bias import sequence_bias

UNKNOWN = -1


@dataclass(frozen=True)
class DecoderSizes:
    """How large a decoder is.

    Attributes:
        width: of the encoder's features and of the decoder.
        layers: of the decoder.
        heads: of its attention.
        mlp_width: of its feed-forward layers.
        codes: size of the codebook.
        length: positions of the code grid.
    """

    width: int
    layers: int
    heads: int
    mlp_width: int
    codes: int
    length: int


def decoder_sizes(width: int, tower: Tower, layers: int, codes: int, length: int) -> DecoderSizes:
    """A decoder of features of so many numbers, with the heads and feed-forward of their tower."""
    return DecoderSizes(
        width=width,
        layers=layers,
        heads=tower.heads or width // 64,  # 64 per head in all published sizes
        mlp_width=tower.mlp_width or 4 * width,
        codes=codes,
        length=length,
    )


class CodeDecoder(nn.Module):
    """Scores for the VQ code at each of K queried positions, given encoder features.

    Legend: B batch, K queries, L positions of the code grid, C width, V codes.

    Args:
        sizes: C, L, V and how deep it is.
        dropout: of its layers.
        causal: each query sees itself and those before it.
        attention: implementation, "sdpa" or "eager".
    """

    def __init__(self, sizes: DecoderSizes, dropout: float, causal: bool, attention: str):
        super().__init__()
        width, codes = sizes.width, sizes.codes
        config = T5Config(
            vocab_size=codes + 1,  # the last one stands for a code that is not known
            d_model=width,
            d_kv=width // sizes.heads,
            d_ff=sizes.mlp_width,
            num_layers=sizes.layers,
            num_heads=sizes.heads,
            dropout_rate=dropout,
            feed_forward_proj="gated-gelu",
            is_decoder=True,
            use_cache=False,
        )
        self.codes, self.causal = codes, causal
        self.stack = T5Stack(config)
        self.stack.set_attn_implementation(attention)
        self.position_embedding = nn.Embedding(sizes.length, width)
        self.head = nn.Linear(width, codes)
        nn.init.normal_(self.head.weight, std=width**-0.5)
        nn.init.zeros_(self.head.bias)

    def forward(
        self,
        known_ids_BK: Tensor,
        position_BK: Tensor,
        mask_BK: Tensor,
        condition_BLC: Tensor,
        condition_mask_BL: Tensor,
    ) -> Tensor:
        """The decoder's features [B, K, C], from which `head` makes scores [.., V].

        Args:
            known_ids_BK: long; what each query is told: its own code in parallel decoding, that of
                the query before it in autoregressive decoding; UNKNOWN for none.
            position_BK: long; which place of the grid each query asks for.
            mask_BK: 1 on queries, 0 on padding.
            condition_BLC: encoder features.
            condition_mask_BL: their mask.
        """
        stack = self.stack
        ids_BK = torch.where(known_ids_BK == UNKNOWN, self.codes, known_ids_BK)
        hidden_BKC = stack.embed_tokens(ids_BK) + self.position_embedding(position_BK)
        blocked_BKK = additive_mask(mask_BK)
        if self.causal:
            length = mask_BK.shape[1]
            seen_KK = torch.ones(length, length, device=mask_BK.device).tril()
            blocked_BKK = torch.minimum(blocked_BKK, additive_mask(seen_KK)[:, 0, 0])
        first = stack.block[0].layer[0].SelfAttention
        bias_BhKK = sequence_bias(first, position_BK, bidirectional=not self.causal)
        hidden_BKC = stack.dropout(hidden_BKC)
        for block in stack.block:
            hidden_BKC = block(
                hidden_BKC,
                attention_mask=blocked_BKK,
                position_bias=bias_BhKK,
                encoder_hidden_states=condition_BLC,
                encoder_attention_mask=additive_mask(condition_mask_BL),
            )[0]
        return stack.dropout(stack.final_layer_norm(hidden_BKC))
