"""Parameter groups as in IRRA (arXiv 2303.12501) and the optimiser over them."""

import torch
from torch import nn

from ubg.params import Optimiser
from ubg.retrieval.contract import RetrievalModel


def parameter_groups(
    model: nn.Module, pretrained: list[nn.Module], params: Optimiser
) -> list[dict]:
    """At most four groups: pretrained or new, weight or bias.

    New modules learn `new_module_lr_factor` times as fast, biases `bias_lr_factor` times and
    without weight decay; the factors multiply.

    Args:
        model: all of its parameters that require gradients are in one group exactly.
        pretrained: the modules whose weights were loaded; every other parameter is new.
        params: learning rate, factors and decay.
    """
    loaded = {id(parameter) for module in pretrained for parameter in module.parameters()}
    groups: dict[tuple[bool, bool], list[nn.Parameter]] = {}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            kind = id(parameter) not in loaded, name.endswith("bias")
            groups.setdefault(kind, []).append(parameter)
    return [
        {
            "params": members,
            "lr": params.lr
            * (params.new_module_lr_factor if is_new else 1)
            * (params.bias_lr_factor if is_bias else 1),
            "weight_decay": 0.0 if is_bias else params.weight_decay,
        }
        for (is_new, is_bias), members in sorted(groups.items())
    ]


def build_optimiser(model: RetrievalModel, params: Optimiser) -> torch.optim.Optimizer:
    """Fused Adam or AdamW over the groups of `model`, each keeping its peak rate as `peak_lr`.

    Args:
        model: says by `pretrained_modules()` which of its modules hold loaded weights.
        params: which optimiser, and its settings.
    """
    groups = parameter_groups(model, model.pretrained_modules(), params)
    optimiser_class = torch.optim.Adam if params.name == "adam" else torch.optim.AdamW
    optimiser = optimiser_class(groups, betas=params.betas, fused=True)
    for group in optimiser.param_groups:
        group["peak_lr"] = group["lr"]
    return optimiser


def set_learning_rates(optimiser: torch.optim.Optimizer, factor: float) -> None:
    """Every group's rate is its peak times `factor`."""
    for group in optimiser.param_groups:
        group["lr"] = group["peak_lr"] * factor
