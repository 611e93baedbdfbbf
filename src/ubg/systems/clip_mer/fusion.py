"""One embedding of the parts of a query."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import CLIPTextConfig
from transformers.models.clip.modeling_clip import CLIPEncoder

from ubg.params import Fusion
from ubg.systems.clip_mer.parts import PARTS
from ubg.towers.attention_mask import additive_mask
from ubg.towers.quick_gelu import replace_quick_gelu

SMALL = 0.1  # of the deviations that the layers start with: the mean of the parts at first, nearly


class QueryFusion(nn.Module):
    """The tokens of the parts through a transformer, then the mean over the parts that are there.

    Every part has its place, whatever order it comes in, and the place of one that is not there
    holds zeros, masked: what is missing and what is left out are the same numbers.

    Legend: B queries, P parts, T tokens of a part, D joint space.

    Args:
        width: D.
        params: layers and heads.
        attention: implementation, "sdpa" or "eager".

    Raises:
        ValueError: the heads do not divide the width.
    """

    def __init__(self, width: int, params: Fusion, attention: str):
        super().__init__()
        if width % params.heads:
            raise ValueError(
                f"clip_mer.fusion.heads: {params.heads} does not divide embedding_dim {width}; "
                "change one of them"
            )
        config = CLIPTextConfig(
            hidden_size=width,
            num_hidden_layers=params.layers,
            num_attention_heads=params.heads,
            intermediate_size=2 * width,
            hidden_act="quick_gelu",
            attn_implementation=attention,
        )
        self.part_embedding = nn.Parameter(0.1 * torch.randn(len(PARTS), width))
        self.transformer = CLIPEncoder(config)
        replace_quick_gelu(self.transformer)
        for layer in self.transformer.layers:
            for last in (layer.self_attn.out_proj, layer.mlp.fc2):
                nn.init.normal_(last.weight, std=SMALL * last.in_features**-0.5)

    def forward(self, tokens_BPTD: Tensor, present_BP: Tensor) -> Tensor:
        """Unit vectors [B, D].

        Args:
            tokens_BPTD: of the parts in the order of `PARTS`; a longer one counts for more.
            present_BP: bool, which parts there are, at least one; the other tokens are not read.
        """
        batch, _, length, _ = tokens_BPTD.shape
        there_BPTD = torch.where(present_BP[..., None, None], tokens_BPTD.float(), 0.0)
        mask_BL = present_BP[..., None].expand(-1, -1, length).reshape(batch, -1)
        placed_BPTD = there_BPTD + self.part_embedding[:, None]
        hidden_BLD = self.transformer(
            inputs_embeds=placed_BPTD.flatten(1, 2), attention_mask=additive_mask(mask_BL)
        ).last_hidden_state
        weights_BL1 = mask_BL[..., None].float()
        mean_BD = (hidden_BLD.float() * weights_BL1).sum(1) / weights_BL1.sum(1)
        return F.normalize(mean_BD, dim=-1)

    def of_parts(self, parts: Mapping[str, Tensor]) -> Tensor:
        """Queries that all have the same parts, [B, T, D] each, to unit vectors [B, D]."""
        some = next(iter(parts.values()))
        absent = torch.zeros_like(some)
        tokens_BPTD = torch.stack([parts.get(name, absent) for name in PARTS], dim=1)
        present_P = torch.tensor([name in parts for name in PARTS], device=some.device)
        return self(tokens_BPTD, present_P.expand(len(some), -1))
