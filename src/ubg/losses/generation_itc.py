"""Contrast of captions and images by the likelihood of the images' codes."""

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy


def generation_itc_loss(evidence: Tensor, scale: float) -> Tensor:
    """Symmetric InfoNCE on what captions say of images: sample i's caption belongs to its image.

    Args:
        evidence: [N, N], nats; row i has how much more likely caption i makes the codes of each
            image than their frequencies do.
        scale: of the evidence, an inverse temperature. The sum over all places of a grid counts
            places as if they were independent, which they are not: it is overconfident.

    Returns:
        Scalar, float32: mean of the text-to-image and the image-to-text cross-entropy.
    """
    logits = scale * evidence.float()
    pairs = torch.arange(len(logits), device=logits.device)
    return (cross_entropy(logits, pairs) + cross_entropy(logits.T, pairs)) / 2
