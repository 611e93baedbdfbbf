"""A layer of CLIP's vision transformer whose weights depend on the modality."""

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional as F
from transformers.modeling_layers import GradientCheckpointingLayer
from transformers.models.clip.modeling_clip import CLIPEncoderLayer

from ubg.params import Adapters
from ubg.systems.clip_mer.low_rank import PRODUCTS, LowRank


class RoutedLayer(GradientCheckpointingLayer):
    """CLIP's layer with a low-rank update for each modality in its linear maps.

    Its weights keep the names that they have in `layer`. Legend: B batch, L tokens, Q of them that
    are asked for, C width, h heads, d width of one.

    Args:
        layer: of the trunk, as it was loaded.
        modalities: that are told apart.
        adapters: rank, scale and which products; None for a layer that all modalities share.
        eager: whether attention is written out, which is the faster one for bf16 on CPU.
    """

    def __init__(
        self,
        layer: CLIPEncoderLayer,
        modalities: Sequence[str],
        adapters: Adapters | None,
        eager: bool,
    ):
        super().__init__()
        self.layer_norm1, self.self_attn = layer.layer_norm1, layer.self_attn
        self.layer_norm2, self.mlp = layer.layer_norm2, layer.mlp
        self.eager = eager
        names = PRODUCTS[adapters.products] if adapters is not None else ()
        self.adapters = nn.ModuleDict()
        for name in names:
            linear = self.get_submodule(name)
            assert isinstance(linear, nn.Linear)
            assert adapters is not None
            self.adapters[name.partition(".")[2]] = nn.ModuleDict(
                {key: LowRank(linear, adapters.rank, adapters.alpha) for key in modalities}
            )

    def forward(self, hidden_BLC: Tensor, modality: str, asked: int) -> Tensor:
        """The first `asked` tokens behind the layer, [B, Q, C]; they see all L of them."""
        attention, mlp = self.self_attn, self.mlp

        def product(name: str, linear: nn.Linear, x: Tensor) -> Tensor:
            if name not in self.adapters:
                return linear(x)
            own = self.adapters[name].get_submodule(modality)
            return F.linear(x, own(linear.weight), linear.bias)

        normed_BLC = self.layer_norm1(hidden_BLC)
        heads = attention.num_heads
        query_BhQd = _split(product("q_proj", attention.q_proj, normed_BLC[:, :asked]), heads)
        key_BhLd = _split(product("k_proj", attention.k_proj, normed_BLC), heads)
        value_BhLd = _split(product("v_proj", attention.v_proj, normed_BLC), heads)
        if self.eager:
            scores_BhQL = query_BhQd @ key_BhLd.mT * attention.scale
            found_BhQd = scores_BhQL.softmax(-1) @ value_BhLd
        else:
            found_BhQd = F.scaled_dot_product_attention(query_BhQd, key_BhLd, value_BhLd)
        found_BQC = found_BhQd.transpose(1, 2).flatten(2)
        hidden_BQC = hidden_BLC[:, :asked] + product("out_proj", attention.out_proj, found_BQC)
        inner_BQM = mlp.activation_fn(product("fc1", mlp.fc1, self.layer_norm2(hidden_BQC)))
        return hidden_BQC + product("fc2", mlp.fc2, inner_BQM)


def _split(tokens_BLC: Tensor, heads: int) -> Tensor:
    """Tokens to [B, h, L, d]."""
    return tokens_BLC.unflatten(2, (heads, -1)).transpose(1, 2)
