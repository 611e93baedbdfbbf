"""Unknown codes are filled in by the schedule, the surest first, and known ones stay."""

import math

import numpy as np
import pytest
import torch

from ubg.systems.phase4.decoder import UNKNOWN
from ubg.systems.phase4.joint.filling_in import autoregressive_decode, parallel_decode

LENGTH, CODES = 24, 10


def scores(batch, seed=0):
    return torch.randn(batch, LENGTH, CODES, generator=torch.Generator().manual_seed(seed))


def known_with(missing, seed=0):
    """A row for each number of missing codes."""
    rng = np.random.default_rng(seed)
    ids = rng.integers(0, CODES, (len(missing), LENGTH))
    for row, count in zip(ids, missing, strict=True):
        row[rng.permutation(LENGTH)[:count]] = UNKNOWN
    return torch.from_numpy(ids)


@pytest.mark.parametrize("steps", [1, 2, 5, 8, 24, 40])
def test_the_schedule_leaves_what_the_formula_says(steps):
    missing = [24, 17, 1, 0]
    left = []

    def predict(ids):
        left.append((ids == UNKNOWN).sum(1).tolist())
        return scores(4)

    known = known_with(missing)
    found = parallel_decode(predict, known, steps)
    expected = [
        [math.floor(count * math.cos(math.pi * step / (2 * steps)) + 1e-6) for count in missing]
        for step in range(steps)
    ]
    assert left == expected
    assert (found != UNKNOWN).all()
    assert torch.equal(found[known != UNKNOWN], known[known != UNKNOWN])


@pytest.mark.parametrize("steps", [1, 3, 7])
def test_constant_scores_fill_in_the_most_likely_codes(steps):
    table, known = scores(3), known_with([24, 10, 5])
    found = parallel_decode(lambda ids: table, known, steps)
    assert torch.equal(found, torch.where(known == UNKNOWN, table.argmax(-1), known))


def test_the_surest_are_fixed_first_and_equal_ones_in_raster_order():
    table = torch.zeros(1, LENGTH, CODES)
    table[..., 3] = 1.0
    table[0, 20, 4], table[0, 11, 5] = 9.0, 8.0
    seen = []

    def predict(ids):
        seen.append(ids.clone())
        return table

    steps = 6
    parallel_decode(predict, known_with([24]), steps)
    order = [20, 11, *(place for place in range(LENGTH) if place not in (20, 11))]
    for step, ids in enumerate(seen):
        left = math.floor(24 * math.cos(math.pi * step / (2 * steps)))
        assert sorted(order[24 - left :]) == (ids[0] == UNKNOWN).nonzero()[:, 0].tolist()


def test_later_predictions_see_what_was_fixed_before():
    """A code is one more than the largest that is known: each step adds one."""

    def predict(ids):
        best = (ids.max(1).values + 1).clamp(min=0)
        return torch.nn.functional.one_hot(best, CODES)[:, None].expand(-1, LENGTH, -1).float()

    found = parallel_decode(predict, torch.full((1, LENGTH), UNKNOWN), steps=4)
    counts = [24 - math.floor(24 * math.cos(math.pi * step / 8)) for step in range(1, 4)] + [24]
    expected = np.repeat(np.arange(4), np.diff([0, *counts]))
    assert found[0].tolist() == expected.tolist()


def test_confidence_is_the_probability_not_the_score():
    """The highest score, but no higher than its neighbour's, is not the surest."""
    table = torch.zeros(1, LENGTH, CODES)
    table[0, 0] = 50.0
    table[0, 5, 2] = 3.0
    seen = []

    def predict(ids):
        seen.append(ids.clone())
        return table

    parallel_decode(predict, torch.full((1, LENGTH), UNKNOWN), steps=24)
    assert (seen[1] != UNKNOWN).sum() == 1
    assert seen[1][0, 5] == 2


@pytest.mark.parametrize("missing", [[24, 24], [12, 3], [1, 0]])
def test_one_after_the_other_equals_a_greedy_loop(missing):
    table = torch.randn(LENGTH, CODES + 1, CODES, generator=torch.Generator().manual_seed(4))

    def predict(ids):
        before = ids.roll(1, dims=1)
        before[:, 0] = UNKNOWN
        return table[torch.arange(LENGTH), before]  # UNKNOWN is the last row

    known = known_with(missing)
    found = autoregressive_decode(predict, known, steps=LENGTH)
    for row, expected in zip(found.tolist(), known.tolist(), strict=True):
        before = UNKNOWN
        for place in range(LENGTH):
            if expected[place] == UNKNOWN:
                expected[place] = int(table[place, before].argmax())
            before = expected[place]
        assert row == expected
