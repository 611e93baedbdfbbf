import numpy as np
import pytest

from ubg.systems.clip_mer.evaluation.compare import compare_averages, compare_kind, control_metrics
from ubg.systems.clip_mer.evaluation.controls import Controls


def controls_of(mean, left_out, exchanged):
    return Controls(
        np.array(mean),
        {part: np.array(values) for part, values in left_out.items()},
        {part: np.array(values) for part, values in exchanged.items()},
    )


PRECISION = {"NIR+SK": np.array([1.0, 0.5]), "SK+NIR": np.array([0.8])}
CONTROLS = {
    "NIR+SK": controls_of(
        [0.5, 0.5], {"nir": [0.2, 0.4], "sk": [1.0, 1.0]}, {"nir": [0.1, 0.1], "sk": [0.3, 0.1]}
    ),
    "SK+NIR": controls_of([0.7], {"sk": [0.4], "nir": [0.6]}, {"sk": [0.2], "nir": [0.2]}),
}


def test_a_kind_by_hand():
    pids = np.array([1, 2])
    compared = compare_kind(PRECISION["NIR+SK"], CONTROLS["NIR+SK"], pids)
    assert compared.map_mean == pytest.approx(50)
    assert compared.map_left_out == pytest.approx(65)
    assert compared.map_exchanged == pytest.approx(15)
    assert compared.over_mean.mean == pytest.approx(25)
    assert compared.over_left_out.mean == pytest.approx(10)
    assert compared.exchange_costs.mean == pytest.approx(50)
    assert compared.parts["nir"].gain.mean == pytest.approx(45)
    assert compared.parts["sk"].gain.mean == pytest.approx(-25)  # adding it hurts
    assert compared.parts["sk"].map_left_out == pytest.approx(100)
    assert compared.parts["nir"].map_exchanged == pytest.approx(10)
    assert compared.over_mean.ends is None  # of two persons


def test_averages_are_plain_means_over_kinds():
    pids = {"NIR+SK": np.array([1, 2]), "SK+NIR": np.array([2])}
    compared = compare_averages(PRECISION, CONTROLS, pids)
    assert set(compared) == {"two"}
    two = compared["two"]
    assert two.map_mean == pytest.approx((50 + 70) / 2)
    assert two.map_left_out == pytest.approx((65 + 50) / 2)
    assert two.map_exchanged == pytest.approx((15 + 20) / 2)
    assert two.over_mean.mean == pytest.approx((25 + 10) / 2)
    assert two.over_left_out.mean == pytest.approx((10 + 30) / 2)
    assert two.exchange_costs.mean == pytest.approx((50 + 30) / 2)
    metrics = control_metrics(compared)
    assert metrics["two"]["over_mean"] == 17.5
    assert "over_mean_low" not in metrics["two"]


def test_an_interval_draws_persons_not_queries():
    """All queries of a person rise or fall together: repeating them narrows no interval."""
    rng = np.random.default_rng(0)
    persons = np.arange(40)
    gain_of = rng.normal(0.1, 0.2, len(persons))
    widths = []
    for times in (1, 5):
        pids = np.repeat(persons, times)
        zeros = np.zeros(len(pids))
        controls = Controls(zeros, {"nir": zeros, "sk": zeros}, {"nir": zeros, "sk": zeros})
        compared = compare_averages(
            {"NIR+SK": gain_of[pids]}, {"NIR+SK": controls}, {"NIR+SK": pids}
        )
        low, high = compared["two"].over_mean.ends
        widths.append(high - low)
        assert low < 100 * gain_of.mean() < high
    assert widths[0] == pytest.approx(widths[1], rel=1e-9)
