"""Parameter groups as in IRRA (arXiv 2303.12501) and the optimiser over them."""

import torch
from torch import nn

from ubg.params import Optimiser
from ubg.retrieval.contract import RetrievalModel


def parameter_groups(model: RetrievalModel, params: Optimiser) -> list[dict]:
    """A group for each learning rate, weights and biases apart.

    New modules learn `new_module_lr_factor` times as fast, biases `bias_lr_factor` times and
    without weight decay; the factors multiply, but for modules with factors of their own.

    Args:
        model: all of its parameters that require gradients are in one group exactly. Those of its
            `pretrained_modules()` were loaded, every other one is new; `lr_factors()` come first.
        params: learning rate, factors and decay.
    """
    loaded = {id(p) for module in model.pretrained_modules() for p in module.parameters()}
    own = {id(p): factors for module, factors in model.lr_factors() for p in module.parameters()}
    groups: dict[tuple[float, bool], list[nn.Parameter]] = {}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            is_bias = name.endswith("bias")
            if id(parameter) in own:
                factors = own[id(parameter)]
                factor = factors.bias if is_bias else factors.weight
            else:
                factor = 1.0 if id(parameter) in loaded else params.new_module_lr_factor
                factor *= params.bias_lr_factor if is_bias else 1.0
            groups.setdefault((factor, is_bias), []).append(parameter)
    return [
        {
            "params": members,
            "lr": params.lr * factor,
            "weight_decay": 0.0 if is_bias else params.weight_decay,
        }
        for (factor, is_bias), members in sorted(groups.items(), key=lambda group: group[0])
    ]


def build_optimiser(model: RetrievalModel, params: Optimiser) -> torch.optim.Optimizer:
    """Fused Adam or AdamW over the groups of `model`, each keeping its peak rate as `peak_lr`.

    Args:
        model: see `parameter_groups`.
        params: which optimiser, and its settings.
    """
    optimiser_class = torch.optim.Adam if params.name == "adam" else torch.optim.AdamW
    groups = parameter_groups(model, params)
    optimiser = optimiser_class(groups, betas=params.betas, eps=params.eps, fused=True)
    for group in optimiser.param_groups:
        group["peak_lr"] = group["lr"]
    return optimiser


def set_learning_rates(optimiser: torch.optim.Optimizer, factor: float) -> None:
    """Every group's rate is its peak times `factor`."""
    for group in optimiser.param_groups:
        group["lr"] = group["peak_lr"] * factor
