"""Pixels as a model sees them."""

import torch
from torch import Tensor

from ubg.data.images.normalisation import Normalisation


def normalised(pixels_BHWC: Tensor, normalisation: Normalisation) -> Tensor:
    """Pixels of 0 to 255 to float32 [B, C, H, W], each channel by its mean and deviation."""
    mean_C11, std_C11 = (
        torch.tensor(values, device=pixels_BHWC.device).view(-1, 1, 1)
        for values in (normalisation.mean, normalisation.std)
    )
    scaled_BCHW = pixels_BHWC.permute(0, 3, 1, 2).float() / 255
    return (scaled_BCHW - mean_C11) / std_C11
