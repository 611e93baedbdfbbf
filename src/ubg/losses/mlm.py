"""Masked language modelling."""

from typing import Literal

from torch import Tensor
from torch.nn.functional import cross_entropy


def mlm_loss(
    logits_PV: Tensor, target_ids_P: Tensor, reduction: Literal["mean", "sum"] = "mean"
) -> Tensor:
    """Cross-entropy of the tokens at the P scored positions, in nats.

    Args:
        logits_PV: [P, V], scores of the vocabulary.
        target_ids_P: long [P], the tokens that were there before masking.
        reduction: over the positions; the mean over none is NaN.

    Returns:
        Scalar, float32.

    Source: Devlin et al., "BERT: Pre-training of Deep Bidirectional Transformers for Language
    Understanding", arXiv 1810.04805, section 3.1.
    """
    return cross_entropy(logits_PV.float(), target_ids_P, reduction=reduction)
