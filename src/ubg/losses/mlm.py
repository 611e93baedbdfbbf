"""Masked language modelling."""

from typing import Literal

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from ubg.losses.matching import wide


def mlm_loss(
    logits_PV: Tensor, target_ids_P: Tensor, reduction: Literal["mean", "sum"] = "mean"
) -> Tensor:
    """Cross-entropy of the tokens at the P scored positions, in nats.

    Args:
        logits_PV: [P, V], scores of the vocabulary.
        target_ids_P: long [P], the tokens that were there before masking.
        reduction: over the positions; the sum and the mean over none are 0.

    Returns:
        Scalar, float32; inf where it, or its sum over the positions, is no float32.

    Source: Devlin et al., "BERT: Pre-training of Deep Bidirectional Transformers for Language
    Understanding", arXiv 1810.04805, section 3.1.
    """
    loss = cross_entropy(wide(logits_PV), target_ids_P, reduction=reduction)
    return torch.where((target_ids_P >= 0).any(), loss, 0.0).float()
