"""The floors by hand."""

import numpy as np
import pytest

from ubg.systems.phase4.unigram import PRIOR_STRENGTHS, position_unigram_ce, unigram_ce

# Three images, two positions, four codes; code 3 never occurs.
TRAINING = np.array([[0, 1], [0, 2], [0, 1]], np.uint16)


def test_unigram_adds_one_to_every_count():
    found = unigram_ce(TRAINING, np.array([0, 1, 2, 3]), codes=4)
    expected = -np.log(np.array([3 + 1, 2 + 1, 1 + 1, 0 + 1]) / 10)
    np.testing.assert_allclose(found, expected)


def test_codes_beyond_the_type_of_the_ids_do_not_wrap_around():
    training = np.full((300, 300), 255, np.uint8)
    found = position_unigram_ce(training, np.array([255, 255]), np.array([0, 299]), codes=256)
    np.testing.assert_allclose(found, 0, atol=0.01)


@pytest.mark.parametrize(
    ("targets", "positions", "strength"),
    [
        ([0, 1, 0, 1], [0, 1, 0, 1], 1.0),  # as in training: the counts are to be believed
        ([1, 2, 0, 0], [0, 0, 1, 1], 1000.0),  # nothing as in training: they are not
    ],
)
def test_positions_are_shrunk_towards_the_unigram_by_what_suits_best(targets, positions, strength):
    prior = np.array([4, 3, 2, 1]) / 10
    count = {(0, 0): 3, (1, 1): 2, (1, 2): 1}
    expected = [
        -np.log((count.get((position, code), 0) + strength * prior[code]) / (3 + strength))
        for code, position in zip(targets, positions, strict=True)
    ]
    found = position_unigram_ce(TRAINING, np.array(targets), np.array(positions), codes=4)
    np.testing.assert_allclose(found, expected)


def test_it_is_the_lowest_of_all_strengths_and_a_distribution():
    rng = np.random.default_rng(0)
    training = rng.integers(0, 4, (30, 2))
    targets, positions = np.arange(4).repeat(2), np.tile([0, 1], 4)
    found = position_unigram_ce(training, targets, positions, codes=4)
    for position in (0, 1):
        assert np.exp(-found[positions == position]).sum() == pytest.approx(1)
    prior = np.exp(-unigram_ce(training, np.arange(4), codes=4))
    for strength in PRIOR_STRENGTHS:
        count = (training[:, positions] == targets).sum(0)
        ce = -np.log((count + strength * prior[targets]) / (30 + strength))
        assert found.mean() <= ce.mean() + 1e-12
