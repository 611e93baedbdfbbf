"""What the losses share: rows of unit length, float32 products, the divergence from the matches."""

import torch
from torch import Tensor
from torch.nn.functional import normalize

EPSILON = 1e-8
LONG = 1e15  # a longer number's square may be no float32
SHORT = 1e-12  # a shorter row is none to `normalize`


def require_rows(name: str, rows: Tensor) -> None:
    """Check that there is something to take a mean of.

    Raises:
        ValueError: there is no row.
    """
    if not len(rows):
        raise ValueError(f"{name}: a batch without rows has no loss; leave it out")


def wide(values: Tensor) -> Tensor:
    """The values in float32; in float64 where they are that already, lest they leave its range."""
    return values if values.dtype == torch.float64 else values.float()


def unit_rows(features_ND: Tensor) -> Tensor:
    """The rows at unit length in float32, however long or short they are; zeros stay zeros.

    The gradient is the steeper the shorter a row is; below 1e-38 it may be no float32.

    Raises:
        ValueError: there is no row.
    """
    require_rows("features", features_ND)
    features_ND = wide(features_ND)
    largest_N1 = _largest(features_ND)
    is_short_N1 = (largest_N1 > 0) & (largest_N1 < SHORT)
    scale_N1 = torch.where(is_short_N1, largest_N1, _excess(largest_N1))
    return normalize((features_ND / scale_N1).float(), dim=1)


def bounded_rows(features_ND: Tensor) -> Tensor:
    """The rows in float32, shortened where their products with unit rows may be no float32.

    What is as long as that has a sharpest softmax before and after.
    """
    features_ND = wide(features_ND)
    return (features_ND / _excess(_largest(features_ND))).float()


def _largest(features_ND: Tensor) -> Tensor:
    return features_ND.detach().abs().amax(dim=1, keepdim=True)


def _excess(largest_N1: Tensor) -> Tensor:
    """What to divide by: 1, which changes no bit, where no number is that large."""
    return (largest_N1 / LONG).clamp(min=1)


def float32_product(rows: Tensor, columns: Tensor) -> Tensor:
    """Return `rows @ columns.T`, [N, D] and [M, D] to [N, M], in float32 also under autocast."""
    with torch.autocast(rows.device.type, enabled=False):
        return rows.float() @ columns.float().T


def matching_divergence(logits_NM: Tensor, labels_NM: Tensor) -> Tensor:
    """Mean over the rows with a match of KL(softmax(logits) || labels / row sum + 1e-8).

    A row of zeros in `labels_NM` has no distribution to come near, and no term; 0 where all are.
    """
    log_p_NM = logits_NM.log_softmax(dim=1)
    row_sum_N1 = labels_NM.sum(dim=1, keepdim=True)
    q_NM = labels_NM / torch.where(row_sum_N1 > 0, row_sum_N1, 1.0)
    divergence_NM = log_p_NM.exp() * (log_p_NM - (q_NM + EPSILON).log())
    has_match_N = row_sum_N1[:, 0] > 0
    divergence_N = torch.where(has_match_N, divergence_NM.sum(dim=1), 0.0)
    mean_of_matched = divergence_N.sum() / has_match_N.sum().clamp(min=1)
    # The same number, but rounded as `mean` does on each device.
    return torch.where(has_match_N.all(), divergence_N.mean(), mean_of_matched)
