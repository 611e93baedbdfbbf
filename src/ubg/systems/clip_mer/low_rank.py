"""Low-rank updates of linear maps (LoRA, arXiv 2106.09685).

PEFT, the library of the field, chooses among adapters in two ways: by `set_adapter`, a state of the
whole model, which also switches the gradients of the others off; and by `adapter_names`, which it
refuses in training. Here four modalities go through one trunk in every step, and each is to reach
its own pair.
"""

import math
from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from ubg.params import Adapters

PRODUCTS = {
    "all": (
        "self_attn.q_proj",
        "self_attn.k_proj",
        "self_attn.v_proj",
        "self_attn.out_proj",
        "mlp.fc1",
        "mlp.fc2",
    ),
    "mlp": ("mlp.fc1", "mlp.fc2"),
}


class LowRank(nn.Module):
    """A weight W [O, I] to W + (alpha / R) B A, which is W at the start.

    One product with the sum costs less than one with each as soon as there are more tokens than
    channels, and keeps less for the gradient.
    """

    def __init__(self, linear: nn.Linear, rank: int, alpha: float):
        super().__init__()
        self.scale = alpha / rank
        self.A = nn.Parameter(torch.empty(rank, linear.in_features))
        self.B = nn.Parameter(torch.zeros(linear.out_features, rank))
        nn.init.kaiming_uniform_(self.A, a=math.sqrt(5))

    def forward(self, weight_OI: Tensor) -> Tensor:
        with torch.autocast(weight_OI.device.type, enabled=False):
            return torch.addmm(weight_OI, self.B, self.A, alpha=self.scale)


def adapt_in_place(layers: Iterable[nn.Module], params: Adapters) -> None:
    """Give each linear map of some CLIP layers one update, whatever goes through it."""
    for layer in layers:
        for name in PRODUCTS["all"]:
            linear = layer.get_submodule(name)
            assert isinstance(linear, nn.Linear)
            update = LowRank(linear, params.rank, params.alpha)
            parametrize.register_parametrization(linear, "weight", update)
