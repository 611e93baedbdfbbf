"""CKA on cases known beforehand."""

import itertools

import numpy as np
import pytest

from ubg.disentanglement.cka import alignment, debiased_cka

RNG = np.random.default_rng(0)


def unbiased_hsic(k, m):
    """Song et al. 2012, equation 4: the mean over all tuples of different indices."""
    four = [
        k[i, j] * (m[i, j] + m[q, r] - 2 * m[i, q])
        for i, j, q, r in itertools.permutations(range(len(k)), 4)
    ]
    return np.mean(four)


def biased_cka(x, y):
    """As it is mostly computed: centred features."""
    x, y = x - x.mean(0), y - y.mean(0)
    return np.linalg.norm(x.T @ y) ** 2 / (np.linalg.norm(x.T @ x) * np.linalg.norm(y.T @ y))


def test_it_is_the_ratio_of_unbiased_estimates_over_all_tuples():
    x, y = RNG.normal(size=(7, 3)), RNG.normal(size=(7, 2))
    k, m = x @ x.T, y @ y.T
    naive = unbiased_hsic(k, m) / np.sqrt(unbiased_hsic(k, k) * unbiased_hsic(m, m))
    assert debiased_cka(x, y) == pytest.approx(naive)


def test_four_points_by_hand():
    """x = (1, -1, 0, 0): k has -1 at (0, 1), and y = (0, 0, 1, -1): l has -1 at (2, 3).

    Each row of k sums to -1, -1, 0, 0, all to -2. Centred without the diagonal, with N - 2 = 2 and
    (N - 1)(N - 2) = 6: (0, 1): -1 + 1/2 + 1/2 - 1/3 = -1/3; (0, 2) and the like: 1/2 - 1/3 = 1/6;
    (2, 3): -1/3. So l, whose places are exchanged, is the same matrix, and CKA is 1.
    """
    x, y = np.array([[1.0], [-1], [0], [0]]), np.array([[0.0], [0], [1], [-1]])
    assert debiased_cka(x, y) == pytest.approx(1)
    # With y = (1, 0, -1, 0), -1 is at (0, 2): -1/3 there and at (1, 3), and 1/6 elsewhere.
    # The products are four times -1/3 1/6 and twice 1/6 1/6, of two times 1/9 and four 1/36.
    y = np.array([[1.0], [0], [-1], [0]])
    assert debiased_cka(x, y) == pytest.approx(-0.5)


def test_rotation_and_scale_do_not_matter():
    x = RNG.normal(size=(50, 6))
    rotation, _ = np.linalg.qr(RNG.normal(size=(6, 6)))
    assert debiased_cka(x, 3 * x @ rotation + 1) == pytest.approx(1)


def test_independent_noise_gives_nothing_where_the_biased_one_gives_half():
    x, y = RNG.normal(size=(256, 256)), RNG.normal(size=(256, 256))
    assert biased_cka(x, y) == pytest.approx(0.5, abs=0.01)
    assert debiased_cka(x, y) == pytest.approx(0, abs=0.02)


def test_an_embedding_of_one_point_is_aligned_with_nothing():
    assert debiased_cka(np.ones((5, 2)), RNG.normal(size=(5, 2))) == 0


def test_the_interval_holds_independent_noise_nineteen_times_of_twenty():
    found = [alignment(RNG.normal(size=(30, 9)), RNG.normal(size=(30, 9))) for _ in range(40)]
    outside = [one for one in found if not one.low < one.cka < one.high]
    assert len(outside) <= 6  # 2 are expected, more than 6 once in 300 times
    assert all(one.low < 0 < one.high for one in found)


def test_what_two_embeddings_share_is_outside_of_the_interval():
    x, y = RNG.normal(size=(60, 20)), RNG.normal(size=(60, 20))
    shared = alignment(x, y + x)
    assert shared.cka > shared.high
    assert shared.cka == debiased_cka(x, y + x)
