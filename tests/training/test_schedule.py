"""The learning rate by hand."""

import pytest

from ubg.training.schedule import lr_factor


@pytest.mark.parametrize(
    ("step", "expected"),
    [(0, 0.1), (5, 0.55), (10, 1.0), (35, 0.5), (60, 0.0)],
)
def test_linear_warmup_then_cosine(step, expected):
    assert lr_factor(step, 60, 10, 0.1, 0.0) == pytest.approx(expected)


def test_without_warmup_it_starts_at_the_peak_and_ends_at_the_final_factor():
    assert lr_factor(0, 10, 0, 0.1, 0.2) == 1.0
    assert lr_factor(10, 10, 0, 0.1, 0.2) == pytest.approx(0.2)


def test_it_never_rises_after_warmup():
    factors = [lr_factor(step, 100, 20, 0.1, 0.0) for step in range(100)]
    assert factors[:21] == sorted(factors[:21])
    assert factors[20:] == sorted(factors[20:], reverse=True)
