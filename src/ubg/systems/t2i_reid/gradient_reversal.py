"""Gradient reversal (arXiv 1409.7495): what learns behind it teaches what lies before to hide."""

from typing import Any

import torch
from torch import Tensor


def reversal_strength(epoch: int) -> float:
    """Alpha, how much of a gradient is passed on: min(1, 0.1 + 0.02 epoch), epochs from 0."""
    return min(1.0, 0.1 + 0.02 * epoch)


def reverse_gradient(features_BD: Tensor, alpha_B: Tensor) -> Tensor:
    """The features [B, D] as they are; the gradient of each row times -alpha, [B]."""
    return _Reversal.apply(features_BD, alpha_B)


class _Reversal(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, features_BD: Tensor, alpha_B: Tensor) -> Tensor:
        ctx.save_for_backward(alpha_B)
        return features_BD.view_as(features_BD)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        (alpha_B,) = ctx.saved_tensors
        return -alpha_B[:, None].to(gradients[0].dtype) * gradients[0], None
