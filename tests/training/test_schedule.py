"""The learning rate by hand."""

import pytest

from ubg.training.schedule import Schedule


def lr_factor(step, *settings, **more):
    return Schedule(*settings, **more).factor(step)


FALLING = {
    "cosine": {},
    "linear": {},
    "poly": {"power": 0.9},
    "exp": {"gamma": 0.05},
    "step": {"milestones": (40, 70), "gamma": 0.5},
}


@pytest.mark.parametrize(
    ("step", "expected"),
    [(0, 0.1), (5, 0.55), (10, 1.0), (35, 0.5), (60, 0.0)],
)
def test_linear_warmup_then_cosine(step, expected):
    assert lr_factor(step, 60, 10, 0.1, 0.0) == pytest.approx(expected)


def test_without_warmup_it_starts_at_the_peak_and_ends_at_the_final_factor():
    assert lr_factor(0, 10, 0, 0.1, 0.2) == 1.0
    assert lr_factor(10, 10, 0, 0.1, 0.2) == pytest.approx(0.2)


@pytest.mark.parametrize(
    ("schedule", "settings", "expected"),
    [
        ("linear", {}, {10: 1.0, 35: 0.5, 50: 0.2, 60: 0.0}),
        ("poly", {"power": 2.0}, {10: 1.0, 35: 0.25, 50: 0.04, 60: 0.0}),
        ("poly", {"power": 2.0, "final_factor": 0.2}, {10: 1.0, 35: 0.4, 60: 0.2}),
        ("linear", {"final_factor": 0.2}, {35: 0.6, 60: 0.2}),
        ("exp", {"gamma": 0.01}, {10: 1.0, 35: 0.1, 60: 0.01}),
        (
            "step",
            {"milestones": (30, 45), "gamma": 0.1},
            {10: 1, 29: 1, 30: 0.1, 44: 0.1, 45: 0.01},
        ),
    ],
)
def test_schedules_by_hand(schedule, settings, expected):
    settings = {"final_factor": 0.0} | settings
    for step, factor in expected.items():
        found = lr_factor(step, 60, 10, 0.1, schedule=schedule, **settings)
        assert found == pytest.approx(factor)
    assert lr_factor(5, 60, 10, 0.1, schedule=schedule, **settings) == pytest.approx(0.55)


@pytest.mark.parametrize("schedule", FALLING)
def test_it_never_rises_after_warmup(schedule):
    settings = {"schedule": schedule, **FALLING[schedule]}
    factors = [lr_factor(step, 100, 20, 0.1, 0.0, **settings) for step in range(100)]
    assert factors[20] == 1.0
    assert factors[-1] < 0.3
    assert factors[:21] == sorted(factors[:21])
    assert factors[20:] == sorted(factors[20:], reverse=True)
