"""Masked language modelling across modalities: words guessed from the caption and the image."""

from typing import Literal

from torch import Tensor, nn
from transformers import CLIPTextConfig
from transformers.models.clip.modeling_clip import CLIPEncoder

from ubg.systems.irra.word_masking import IGNORED
from ubg.towers.attention_mask import additive_mask
from ubg.towers.one_token import tokens_of_last_layer
from ubg.towers.quick_gelu import QuickGELU, replace_quick_gelu


class MaskedLanguageModel(nn.Module):
    """IRRA's implicit relation reasoning (arXiv 2303.12501, section 3.2): scores for hidden words.

    The tokens of the masked caption attend to the tokens of the image by cross-attention; the
    result goes through a transformer of CLIP's layers and a head like BERT's. As in the paper the
    caption tokens are only queries: no residual connection bypasses the cross-attention.

    Legend: B batch, T text tokens, N image tokens, D width, P scored positions, V vocabulary.

    Args:
        width: D, of the joint space.
        vocab_size: V.
        layers: of the transformer.
        heads: of its attention and of the cross-attention.
        attention: implementation, "sdpa" or "eager".
        activation: in the head, "quick_gelu" or "gelu".

    Raises:
        ValueError: `width` is not a multiple of `heads`.
    """

    def __init__(
        self,
        width: int,
        vocab_size: int,
        layers: int,
        heads: int,
        attention: str,
        activation: Literal["quick_gelu", "gelu"],
    ):
        super().__init__()
        if width % heads:
            raise ValueError(
                f"irra.interaction_heads: {heads} does not divide embedding_dim {width}; "
                "change one of them"
            )
        config = CLIPTextConfig(
            hidden_size=width,
            num_hidden_layers=layers,
            num_attention_heads=heads,
            intermediate_size=4 * width,
            hidden_act="quick_gelu",
            attn_implementation=attention,
        )
        self.eager = attention == "eager"
        self.text_norm = nn.LayerNorm(width)
        self.image_norm = nn.LayerNorm(width)
        self.cross_attention = nn.MultiheadAttention(width, heads, batch_first=True)
        self.transformer = CLIPEncoder(config)
        replace_quick_gelu(self.transformer)
        self.final_norm = nn.LayerNorm(width)
        self.dense = nn.Linear(width, width)
        self.activation = QuickGELU() if activation == "quick_gelu" else nn.GELU()
        self.head_norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, vocab_size)
        self._initialise(width, layers)

    def forward(
        self, text_BTD: Tensor, text_mask_BT: Tensor, image_BND: Tensor, labels_BT: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Scores at the positions that have a label, and nowhere else.

        Args:
            text_BTD: tokens of the masked captions.
            text_mask_BT: 1 on tokens, 0 on padding.
            image_BND: tokens of their images.
            labels_BT: long, IGNORED where none is to be guessed.

        Returns:
            Scores [P, V] and the labels, long [P], sample after sample.
        """
        image_BND = self.image_norm(image_BND)
        found_BTD, _ = self.cross_attention(
            self.text_norm(text_BTD),
            image_BND,
            image_BND,
            need_weights=self.eager,  # else the library takes SDPA
            average_attn_weights=False,
        )
        scored_BT = labels_BT != IGNORED
        hidden_PD = tokens_of_last_layer(
            self.transformer.layers, found_BTD, scored_BT, additive_mask(text_mask_BT)
        )
        hidden_PD = self.head_norm(self.activation(self.dense(self.final_norm(hidden_PD))))
        return self.head(hidden_PD), labels_BT[scored_BT]

    def _initialise(self, width: int, layers: int) -> None:
        """The paper's standard deviations, and biases of zero."""
        into_attention = width**-0.5
        out_of_block = width**-0.5 * (2 * layers) ** -0.5
        into_mlp = (2 * width) ** -0.5
        nn.init.normal_(self.cross_attention.in_proj_weight, std=into_attention)
        deviations: list[tuple[nn.Linear, float]] = [
            (self.cross_attention.out_proj, out_of_block),
            (self.dense, into_mlp),
            (self.head, out_of_block),
        ]
        for layer in self.transformer.layers:
            block = layer.self_attn
            deviations += [
                (block.q_proj, into_attention),
                (block.k_proj, into_attention),
                (block.v_proj, into_attention),
                (block.out_proj, out_of_block),
                (layer.mlp.fc1, into_mlp),
                (layer.mlp.fc2, out_of_block),
            ]
        for linear, deviation in deviations:
            nn.init.normal_(linear.weight, std=deviation)
            nn.init.zeros_(linear.bias)
