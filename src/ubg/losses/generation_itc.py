"""Contrast of captions and images by the likelihood of the images' codes."""

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from ubg.losses.matching import require_rows, wide


def generation_itc_loss(evidence: Tensor, scale: float, pids: Tensor | None = None) -> Tensor:
    """Symmetric InfoNCE on what captions say of images.

    Sample i's caption belongs to its image alone or, given `pids`, to all images of its person,
    which share out the label of the row evenly; and so in the other direction.

    Args:
        evidence: [N, N], nats; row i has how much more likely caption i makes the codes of each
            image than their frequencies do.
        scale: of the evidence, an inverse temperature. The sum over all places of a grid counts
            places as if they were independent, which they are not: it is overconfident.
        pids: [N], identity of each sample.

    Returns:
        Scalar, float32: mean of the text-to-image and the image-to-text cross-entropy;
        inf where it, or its sum over the rows, is no float32.

    Raises:
        ValueError: there are no samples.

    Source: for several positives, Khosla et al., "Supervised Contrastive Learning", arXiv
    2004.11362, equation 2.
    """
    require_rows("evidence", evidence)
    logits = scale * wide(evidence)
    labels = torch.arange(len(logits), device=logits.device)
    if pids is not None:
        same_NN = (pids[:, None] == pids[None, :]).to(logits)
        labels = same_NN / same_NN.sum(dim=1, keepdim=True)  # as many in a column as in its row
    return ((cross_entropy(logits, labels) + cross_entropy(logits.T, labels)) / 2).float()
