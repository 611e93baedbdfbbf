"""Fewer and larger kernels: transformer layers compiled, one graph for all that are alike."""

import torch._dynamo
from torch import nn
from transformers.modeling_layers import GradientCheckpointingLayer

# The layers of all kinds call one function of the library, and Dynamo counts its graphs: one for
# each kind, kind of input, mode, and size that is not taken as any size.
MOST_GRAPHS = 128


def compile_layers(model: nn.Module) -> None:
    """Run the transformer layers of `model` through `torch.compile`, in place.

    Layers of one kind share what is compiled, which takes a fraction of the time of compiling the
    whole model. What lies between the layers, such as a loss on some of the tokens, may depend on
    values. A layer whose parts are called one by one, as a last one that computes some of the
    tokens only, runs as it is. Parameters keep their names.
    """
    torch._dynamo.config.recompile_limit = MOST_GRAPHS
    for layer in model.modules():
        if isinstance(layer, GradientCheckpointingLayer):
            layer.compile()
