import numpy as np
import pytest

from ubg.retrieval import bootstrap
from ubg.retrieval.bootstrap import (
    ALIKE,
    TOO_FEW,
    Interval,
    interval_over_seeds,
    paired_bootstrap,
    paired_bootstraps,
)


def clustered(rng, clusters, effect=0.0, between=1.0):
    """Differences of clusters of 1 to 8 queries that share most of their noise."""
    pids = np.repeat(np.arange(clusters), rng.integers(1, 9, clusters))
    shared = rng.normal(effect, between, clusters)[pids]
    return shared + rng.normal(0, 0.3, len(pids)), pids


def naive(difference_Q, pids, resamples):
    """Draw identities one by one and pool their queries."""
    rng = np.random.default_rng(5)
    members = [np.flatnonzero(pids == pid) for pid in np.unique(pids)]
    means = []
    for _ in range(resamples):
        drawn = [members[c] for c in rng.integers(0, len(members), len(members))]
        means.append(difference_Q[np.concatenate(drawn)].mean())
    return np.quantile(means, [0.025, 0.975])


def test_equals_drawing_identities_one_by_one():
    difference_Q, pids = clustered(np.random.default_rng(0), 60, effect=0.2)
    found = paired_bootstrap(difference_Q, 10 * pids - 3, 20_000)
    assert found.mean == difference_Q.mean()
    low, high = naive(difference_Q, pids, 5_000)
    spread = high - low
    assert found.low == pytest.approx(low, abs=0.05 * spread)
    assert found.high == pytest.approx(high, abs=0.05 * spread)


def test_weights_of_a_resample_by_hand(monkeypatch):
    class Rng:
        def multinomial(self, n, chances, size):
            assert (n, list(chances), size) == (2, [0.5, 0.5], 3)
            return np.array([[2, 0], [0, 2], [1, 1]])

    monkeypatch.setattr(bootstrap.np.random, "default_rng", lambda seed: Rng())
    monkeypatch.setattr(bootstrap, "FEWEST_CLUSTERS", 2)
    # Cluster 4 has the mean 1 of one query, cluster 9 the mean 4 of two; together 9 / 3.
    found = paired_bootstrap(np.array([3.0, 1.0, 5.0]), np.array([9, 4, 9]), 3, confidence=1.0)
    assert found == Interval(3.0, 1.0, 4.0)
    found = paired_bootstrap(np.array([3.0, 1.0, 5.0]), np.array([9, 4, 9]), 3, confidence=0.5)
    assert (found.low, found.high) == (2.0, 3.5)


def test_interval_covers_the_true_mean_as_often_as_it_says_and_queries_alone_do_not():
    rng = np.random.default_rng(1)
    rounds = 200
    covered = {"identities": 0, "queries": 0}
    for _ in range(rounds):
        difference_Q, pids = clustered(rng, 80)
        clusters = {"identities": pids, "queries": np.arange(len(pids))}
        for name, groups in clusters.items():
            covered[name] += not paired_bootstrap(difference_Q, groups, 300).excludes_zero
    assert 0.91 * rounds <= covered["identities"] <= 0.98 * rounds
    assert covered["queries"] < 0.75 * rounds


def test_same_seed_same_interval_in_any_chunks(monkeypatch):
    difference_Q, pids = clustered(np.random.default_rng(2), 30)
    whole = paired_bootstrap(difference_Q, pids, 1000, seed=3)
    assert paired_bootstrap(difference_Q, pids, 1000, seed=4) != whole
    monkeypatch.setattr(bootstrap, "CHUNK_WEIGHTS", 77)
    chunked = paired_bootstrap(difference_Q, pids, 1000, seed=3)
    np.testing.assert_allclose([chunked.low, chunked.high], [whole.low, whole.high], rtol=1e-12)


@pytest.mark.parametrize(
    ("interval", "excludes"),
    [
        (Interval(1, 0.5, 2), True),
        (Interval(-1, -2, -0.5), True),
        (Interval(1, -0.1, 2), False),
        (Interval(0, 0, 0), False),
        (Interval(1, 0, 2), False),
    ],
)
def test_excluding_zero(interval, excludes):
    assert interval.excludes_zero is excludes


@pytest.mark.parametrize("difference", [0.0, 100.0, 100 / 3])
def test_where_all_identities_agree_there_is_a_mean_and_no_interval(difference):
    pids = np.repeat(np.arange(25), np.arange(25) % 4 + 1)
    found = paired_bootstrap(np.full(len(pids), difference), pids)
    assert found == Interval(pytest.approx(difference), missing=ALIKE)
    assert not found.excludes_zero
    one_differs = np.full(len(pids), difference)
    one_differs[-1] += 1
    assert paired_bootstrap(one_differs, pids).ends is not None


def test_below_twenty_identities_there_is_a_mean_and_no_interval():
    difference_Q = np.tile([0.0, 50.0], 40)
    few = paired_bootstrap(difference_Q, np.arange(80) // 2 % 19)
    assert few == Interval(25.0, missing=TOO_FEW)
    assert few.ends is None
    assert not few.excludes_zero
    assert few.markdown() == "[–]"
    assert paired_bootstrap(difference_Q, np.arange(80) % 20).ends is not None


def test_metrics_together_are_as_each_alone():
    rng = np.random.default_rng(6)
    difference_Q, pids = clustered(rng, 30)
    both = {"r1": difference_Q, "map": rng.normal(size=len(pids))}
    found = paired_bootstraps(both, pids, 500)
    assert list(found) == ["r1", "map"]
    for metric, values in both.items():
        alone = paired_bootstrap(values, pids, 500)
        np.testing.assert_allclose(
            [found[metric].mean, found[metric].low, found[metric].high],
            [alone.mean, alone.low, alone.high],
        )


def test_interval_over_seeds_by_hand_and_its_coverage():
    assert interval_over_seeds([2.0]) is None
    three = interval_over_seeds([1.0, 2.0, 3.0])  # sd 1, two degrees of freedom
    assert (three.mean, three.high) == (2.0, pytest.approx(2 + 4.303 / 3**0.5))
    runs = np.random.default_rng(7).normal(size=(2000, 4))
    covered = sum(not interval_over_seeds(list(run)).excludes_zero for run in runs)
    assert 0.93 < covered / len(runs) < 0.97
    assert interval_over_seeds([0.0, 1.0] * 20).low > 0


@pytest.mark.parametrize("difference", [0.0, 20.0, 100 / 3])
def test_where_all_seeds_agree_there_is_a_mean_and_no_interval(difference):
    found = interval_over_seeds([difference] * 3)
    assert found == Interval(difference, missing=ALIKE)
    assert not found.excludes_zero
