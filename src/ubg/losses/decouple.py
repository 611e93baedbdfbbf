"""What two embeddings of the same samples have in common."""

import torch
from torch import Tensor

from ubg.losses.matching import float32_product, unit_rows


def decouple_loss(first: Tensor, second: Tensor) -> Tensor:
    """Mean |cosine| of the two embeddings of each sample.

    It is 0 also where one embedding is the other in turned coordinates: a loss, and no evidence.

    Args:
        first: [N, D], any length of the rows.
        second: [N, D].

    Returns:
        Scalar, float32, 0 to 1.

    Raises:
        ValueError: there are no samples.
    """
    return (unit_rows(first) * unit_rows(second)).sum(dim=1).abs().mean()


def hsic_loss(first: Tensor, second: Tensor) -> Tensor:
    """Hilbert-Schmidt independence criterion of two embeddings, estimated without bias.

    The kernel of unit vectors is exp(cosine - 1), under which only independent embeddings have an
    expectation of 0. An estimate may be below.

    Args:
        first: [N, D], any length of the rows; four samples at least, or there is no estimate.
        second: [N, E].

    Returns:
        Scalar, float32.

    Raises:
        ValueError: there are fewer than four samples.

    Source: Song et al., "Feature Selection via Dependence Maximization", JMLR 13, 2012,
    equation 5.
    """
    count = len(first)
    if count < 4:
        raise ValueError(f"hsic: {count} samples give no estimate; make batches of four at least")
    first_NN, second_NN = _kernel(first), _kernel(second)
    product = (first_NN * second_NN).sum()
    sums = first_NN.sum() * second_NN.sum() / ((count - 1) * (count - 2))
    mixed = 2 * (first_NN.sum(dim=0) * second_NN.sum(dim=0)).sum() / (count - 2)
    return (product + sums - mixed) / (count * (count - 3))


def _kernel(features_ND: Tensor) -> Tensor:
    """Of every two samples, [N, N]; 0 of a sample and itself."""
    unit_ND = unit_rows(features_ND)
    kernel_NN = (float32_product(unit_ND, unit_ND) - 1).exp()
    return kernel_NN - torch.diag(kernel_NN.diagonal())
