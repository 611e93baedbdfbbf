"""Image-text contrast with any number of matches in a row."""

import torch
from torch import Tensor

from ubg.losses.matching import float32_product, unit_rows


def info_nce_loss(
    image_features: Tensor, text_features: Tensor, matches: Tensor, logit_scale: Tensor | float
) -> Tensor:
    """Symmetric InfoNCE whose positives are shared out evenly in each row.

    A row that matches nothing has no term of its own and is a negative of the others; with one
    match in each row and column this is `itc_loss`.

    Args:
        image_features: [N, D], any length of the rows.
        text_features: [M, D], any length of the rows.
        matches: bool [N, M], which text belongs to which image.
        logit_scale: inverse temperature.

    Returns:
        Scalar, float32: mean of the image-to-text and the text-to-image cross-entropy; 0 where
        nothing matches.

    Raises:
        ValueError: there is no image or no text.

    Source: Khosla et al., "Supervised Contrastive Learning", arXiv 2004.11362, equation 2.
    """
    cosine_NM = float32_product(unit_rows(image_features), unit_rows(text_features))
    logits_NM = logit_scale * cosine_NM
    return (_cross_entropy(logits_NM, matches) + _cross_entropy(logits_NM.T, matches.T)) / 2


def _cross_entropy(logits_NM: Tensor, matches_NM: Tensor) -> Tensor:
    """Mean of the rows with a match of the cross-entropy to their matches, each as likely."""
    count_N = matches_NM.sum(dim=1)
    log_p_NM = torch.where(matches_NM, logits_NM.log_softmax(dim=1), 0.0)
    entropy_N = -log_p_NM.sum(dim=1) / count_N.clamp(min=1)
    return entropy_N.sum() / (count_N > 0).sum().clamp(min=1)
