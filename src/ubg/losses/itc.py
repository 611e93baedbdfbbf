"""Image-text contrast."""

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from ubg.losses.matching import float32_product, unit_rows


def itc_loss(image_features: Tensor, text_features: Tensor, logit_scale: Tensor | float) -> Tensor:
    """Symmetric InfoNCE: row i of one side belongs to row i of the other and to no other row.

    Args:
        image_features: [B, D], any length of the rows.
        text_features: [B, D], any length of the rows.
        logit_scale: inverse temperature.

    Returns:
        Scalar, float32: mean of the image-to-text and the text-to-image cross-entropy.

    Raises:
        ValueError: there are no pairs.

    Source: Radford et al., "Learning Transferable Visual Models From Natural Language
    Supervision", arXiv 2103.00020, figure 3.
    """
    cosine_BB = float32_product(unit_rows(image_features), unit_rows(text_features))
    logits_BB = logit_scale * cosine_BB
    pairs_B = torch.arange(len(logits_BB), device=logits_BB.device)
    return (cross_entropy(logits_BB, pairs_B) + cross_entropy(logits_BB.T, pairs_B)) / 2
