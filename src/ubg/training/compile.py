"""Fewer and larger kernels: transformer layers compiled, one graph for all that are alike."""

from torch import nn
from transformers.modeling_layers import GradientCheckpointingLayer


def compile_layers(model: nn.Module) -> None:
    """Run each transformer layer of `model` through `torch.compile`, in place.

    Layers of one kind share what is compiled, which takes a fraction of the time of compiling the
    whole model. What lies between the layers, such as a loss on some of the tokens, may depend on
    values. Parameters keep their names.
    """
    for layer in model.modules():
        if isinstance(layer, GradientCheckpointingLayer):
            layer.compile()
