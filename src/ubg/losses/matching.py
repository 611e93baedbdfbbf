"""What the matching losses share: float32 products, and the divergence from the true matches."""

import torch
from torch import Tensor
from torch.nn.functional import normalize

EPSILON = 1e-8
LONG = 1e15  # a longer number's square may be no float32


def unit_rows(features_ND: Tensor) -> Tensor:
    """The rows at unit length in float32, however long they are.

    Raises:
        ValueError: there is no row.
    """
    if not len(features_ND):
        raise ValueError("features: a batch without rows has no loss; leave it out")
    features_ND = features_ND.float()
    # Divides by 1, which changes no bit, where no number is that large.
    shrink_N1 = (features_ND.detach().abs().amax(dim=1, keepdim=True) / LONG).clamp(min=1)
    return normalize(features_ND / shrink_N1, dim=1)


def float32_product(rows: Tensor, columns: Tensor) -> Tensor:
    """Return `rows @ columns.T`, [N, D] and [M, D] to [N, M], in float32 also under autocast."""
    with torch.autocast(rows.device.type, enabled=False):
        return rows.float() @ columns.float().T


def matching_divergence(logits_NM: Tensor, labels_NM: Tensor) -> Tensor:
    """Mean over the rows of KL(softmax(logits) || labels / row sum + 1e-8).

    Every row of `labels_NM` needs a match; a row of zeros makes the result NaN.
    """
    log_p_NM = logits_NM.log_softmax(dim=1)
    q_NM = labels_NM / labels_NM.sum(dim=1, keepdim=True)
    divergence_NM = log_p_NM.exp() * (log_p_NM - (q_NM + EPSILON).log())
    return divergence_NM.sum(dim=1).mean()
