"""What can be counted of a training step without timing it: parameters, tokens, FLOPs, bytes."""

from collections import Counter
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks
from torch.utils.flop_counter import FlopCounterMode
from transformers.modeling_layers import GradientCheckpointingLayer

from ubg.data.batches.fields import Batch
from ubg.plan.step import TrainingStep
from ubg.retrieval.contract import RetrievalModel


def parameters_by_part(model: RetrievalModel) -> dict[str, int]:
    """How many numbers are trained in each part of the model, in its order."""
    counts: Counter[str] = Counter()
    for name, parameter in model.named_parameters():
        counts[_part(model, name)] += parameter.numel()
    return dict(counts)


def tokens_by_stack(step: TrainingStep, batch: Batch) -> dict[str, float]:
    """Tokens per sample, padding included, through each stack of layers in one step.

    A stack that a step passes several times counts all of its passes. Keys are
    "<part>, layers: <number>".
    """
    stacks: dict[str, list[nn.Module]] = {}
    for name, module in step.model.named_modules():
        if isinstance(module, GradientCheckpointingLayer):
            stacks.setdefault(name.rpartition(".")[0], []).append(module)
    samples = len(batch["images"])
    tokens: Counter[str] = Counter()

    def count(stack: str) -> Any:
        def hook(module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
            tokens[stack] += inputs[0].shape[0] * inputs[0].shape[1]

        return hook

    handles = [
        _first_norm(layers[0]).register_forward_pre_hook(count(stack))
        for stack, layers in stacks.items()
    ]
    with torch.no_grad():
        step.model(batch)
    for handle in handles:
        handle.remove()
    return {
        f"{_part(step.model, stack)}, layers: {len(layers)}": tokens[stack] / samples
        for stack, layers in stacks.items()
    }


def _first_norm(layer: nn.Module) -> nn.Module:
    """The first norm of a layer: all tokens pass it, even if later parts only process some."""
    return next(module for module in layer.modules() if "Norm" in type(module).__name__)


def flops_per_sample(step: TrainingStep, batch: Batch) -> float:
    """FLOPs of forward and backward pass: matrix products and convolutions, 2 per multiply-add."""
    with FlopCounterMode(display=False) as counter:
        step.objective(batch).backward()
    step.optimiser.zero_grad()
    return counter.get_total_flops() / len(batch["images"])


def kept_bytes(step: TrainingStep, batch: Batch) -> int:
    """Bytes of all that the forward pass keeps for the backward pass, excluding the weights."""
    weights = {tensor.untyped_storage().data_ptr() for tensor in step.model.parameters()}
    storages: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            storages[storage.data_ptr()] = storage.nbytes()
        return tensor

    with saved_tensors_hooks(keep, lambda tensor: tensor):
        objective = step.objective(batch)
    del objective
    return sum(storages.values())


def _part(model: RetrievalModel, name: str) -> str:
    """The part of a model that one of its modules or parameters belongs to."""
    for inner in model.inner:
        name = name.removeprefix(f"{inner}.")
    return name.partition(".")[0]
