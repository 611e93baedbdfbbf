import math

import pytest
import torch

from ubg.losses.decouple import decouple_loss, hsic_loss


def features(count, width, seed=0):
    return torch.randn(count, width, generator=torch.Generator().manual_seed(seed))


def test_mean_of_absolute_cosines_by_hand():
    first = torch.tensor([[2.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
    second = torch.tensor([[-1.0, 0.0], [3.0, 0.0], [1.0, 0.0]])
    assert decouple_loss(first, second).item() == pytest.approx((1 + 0 + math.sqrt(0.5)) / 3)


def test_it_does_not_see_a_copy_in_turned_coordinates_and_hsic_does():
    first = features(200, 2)
    turned = torch.stack([-first[:, 1], first[:, 0]], dim=1)
    assert decouple_loss(first, turned).item() == pytest.approx(0, abs=1e-6)
    assert hsic_loss(first, turned) > 10 * hsic_loss(first, features(200, 2, 1)).abs()


def test_hsic_is_the_sum_over_four_different_samples():
    """The U-statistic as its definition writes it, over all ordered quadruples."""
    first, second = features(6, 3), features(6, 4, 1)
    units = [torch.nn.functional.normalize(rows.double()) for rows in (first, second)]
    K, L = (torch.exp(unit @ unit.T - 1) for unit in units)
    terms = []
    for i in range(6):
        for j in set(range(6)) - {i}:
            for q in set(range(6)) - {i, j}:
                for r in set(range(6)) - {i, j, q}:
                    terms.append(float(K[i, j] * (L[i, j] + L[q, r] - 2 * L[i, q])))
    expected = sum(terms) / len(terms)
    assert hsic_loss(first, second).item() == pytest.approx(expected, abs=1e-6)


def test_hsic_has_no_bias():
    pairs = [(features(8, 3, 2 * k), features(8, 3, 2 * k + 1)) for k in range(400)]
    values = torch.stack([hsic_loss(*pair) for pair in pairs])
    assert values.mean().abs() < 3 * values.std() / 20
    assert (values < 0).any()


def test_hsic_of_three_samples_is_refused():
    with pytest.raises(ValueError, match="3 samples give no estimate"):
        hsic_loss(features(3, 2), features(3, 2))
