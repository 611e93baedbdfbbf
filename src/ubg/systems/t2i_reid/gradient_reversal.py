"""Gradient reversal (arXiv 1409.7495): what learns behind it teaches what lies before to hide."""

from typing import Any

import torch
from torch import Tensor


def reversal_strength(epoch: int) -> float:
    """Alpha, how much of a gradient is passed on: min(1, 0.1 + 0.02 epoch), epochs from 0."""
    return min(1.0, 0.1 + 0.02 * epoch)


def reverse_gradient(features: Tensor, alpha: Tensor) -> Tensor:
    """The features as they are; their gradient times -alpha.

    Args:
        features: of any shape.
        alpha: scalar.
    """
    return _Reversal.apply(features, alpha)


class _Reversal(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, features: Tensor, alpha: Tensor) -> Tensor:
        ctx.alpha = alpha
        return features.view_as(features)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        return -ctx.alpha * gradients[0], None
