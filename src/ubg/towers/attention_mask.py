"""The attention mask in the form that every implementation of attention adds to its scores."""

import torch
from torch import Tensor


def additive_mask(mask_BL: Tensor) -> Tensor:
    """0 where a token is real and a very low score where it is not, float [B, 1, 1, L]."""
    lowest = torch.finfo(torch.bfloat16).min  # finite in every precision in use
    return (1.0 - mask_BL.float())[:, None, None, :] * lowest
