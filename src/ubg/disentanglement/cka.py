"""Centred kernel alignment: how much of the geometry of one embedding is found in another.

CKA = HSIC(K, L) / sqrt(HSIC(K, K) HSIC(L, L)) with K, L the products of all pairs of rows
(Kornblith et al., "Similarity of Neural Network Representations Revisited", arXiv 1905.00414).
With as many dimensions as rows, the usual estimator of HSIC gives about 0.5 for noise that is
independent; here it is the unbiased one (Song et al., "Feature Selection via Dependence
Maximization", JMLR 13, 2012, eq. 5), in the form of Székely and Rizzo ("Partial Distance
Correlation with Methods for Dissimilarities", arXiv 1310.2926, definition 2 and proposition 1): the
mean product of two matrices that were centred without their diagonal.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FEWEST_ROWS = 4  # of the estimator
PERMUTATIONS = 2_000
SEED = 0
TAILS = (0.025, 0.975)


@dataclass(frozen=True)
class Alignment:
    """CKA of two embeddings, 1 for the same up to rotation and scale.

    Attributes:
        cka: about 0 for independent ones, and below as often as above.
        low, high: within which 95 % of the values lie where the rows of one are permuted.
    """

    cka: float
    low: float
    high: float


def debiased_cka(x_ND: NDArray[np.floating], y_NE: NDArray[np.floating]) -> float:
    """CKA of the linear kernels of two embeddings of the same N things, N at least 4.

    An embedding that is the same for all has nothing in common with another: 0.
    """
    return _cka(_centred(x_ND), _centred(y_NE))


def alignment(x_ND: NDArray[np.floating], y_NE: NDArray[np.floating]) -> Alignment:
    """`debiased_cka` beside what it is where one has nothing to do with the other.

    Args:
        x_ND: one row for each thing; the things are exchangeable as far as `y_NE` is concerned.
        y_NE: another embedding of the same things.
    """
    k_NN, l_NN = _centred(x_ND), _centred(y_NE)
    rng = np.random.default_rng(SEED)
    permuted = []
    for _ in range(PERMUTATIONS):
        order_N = rng.permutation(len(l_NN))
        permuted.append(_cka(k_NN, l_NN[np.ix_(order_N, order_N)]))
    low, high = np.quantile(permuted, TAILS)
    return Alignment(_cka(k_NN, l_NN), float(low), float(high))


def _centred(x_ND: NDArray[np.floating]) -> NDArray[np.float64]:
    """The products of all pairs of rows, centred without the diagonal, which is 0: [N, N]."""
    assert len(x_ND) >= FEWEST_ROWS
    rows = len(x_ND)
    x_ND = x_ND - x_ND.mean(axis=0, dtype=np.float64)  # changes nothing but rounding errors
    k_NN = x_ND @ x_ND.T
    np.fill_diagonal(k_NN, 0)
    mean_N = k_NN.sum(axis=1) / (rows - 2)
    k_NN += k_NN.sum() / ((rows - 1) * (rows - 2)) - mean_N - mean_N[:, None]
    np.fill_diagonal(k_NN, 0)
    return k_NN


def _cka(k_NN: NDArray[np.float64], l_NN: NDArray[np.float64]) -> float:
    scale = np.sqrt((k_NN**2).sum() * (l_NN**2).sum())
    return float((k_NN * l_NN).sum() / scale) if scale > 0 else 0.0
