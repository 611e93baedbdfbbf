"""Cross-entropy of predicted VQ codes."""

import torch
from torch import Tensor
from torch.nn import functional as F

from ubg.losses.matching import wide

IGNORED = -100


def generation_loss(logits: Tensor, target_ids: Tensor, label_smoothing: float = 0.0) -> Tensor:
    """Mean cross-entropy over the positions to be predicted, in nats, with smoothed labels.

    The label is 1 - s on the true code plus s / V on each of the V codes (Szegedy et al.,
    arXiv 1512.00567, section 7).

    Args:
        logits: [P, V], scores of the codes at P positions.
        target_ids: long [P]; IGNORED where nothing is to be predicted.
        label_smoothing: s, in [0, 1).

    Returns:
        Scalar, float32; 0 where nothing is to be predicted, inf where it, or its sum over the
        positions, is no float32.
    """
    loss = F.cross_entropy(
        wide(logits), target_ids, ignore_index=IGNORED, label_smoothing=label_smoothing
    )
    return torch.where((target_ids != IGNORED).any(), loss, 0.0).float()
