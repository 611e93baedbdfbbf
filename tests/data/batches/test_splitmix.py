"""SplitMix64 by the whole numbers of Python, which do not wrap around by themselves."""

import numpy as np
import pytest

from ubg.data.batches.splitmix import integer, mix, start, uniform

BITS = 2**64 - 1
GOLDEN = 0x9E3779B97F4A7C15
KEYS = [(0, 0, 0, 0), (1, 2, 3, 4), (2**31 - 1, 59, 68_126, 34_054), (BITS, BITS, BITS, BITS)]


def mixed(z):
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9 & BITS
    z = (z ^ z >> 27) * 0x94D049BB133111EB & BITS
    return z ^ z >> 31


def started(seed, *keys):
    state = mixed(seed + GOLDEN & BITS)
    for key in keys:
        state = mixed((state ^ key) + GOLDEN & BITS)
    return state


def test_first_numbers_are_the_published_ones():
    """What implementations in other languages give for seed 1234567."""
    state, found = 1234567, []
    for _ in range(5):
        state, _ = uniform(np.uint64(state))  # compiled code hands back a whole number of Python
        found.append(int(mix(np.uint64(state))))
    assert found == [
        6457827717110365317,
        3203168211198807973,
        9817491932198370423,
        4593380528125082431,
        16408922859458223821,
    ]


@pytest.mark.parametrize("value", [0, 1, GOLDEN, 2**63, BITS])
def test_mixing(value):
    assert int(mix(np.uint64(value))) == mixed(value)


@pytest.mark.parametrize("keys", KEYS)
def test_a_sample_starts_from_its_four_keys(keys):
    assert int(start(*(np.uint64(key) for key in keys))) == started(*keys)


@pytest.mark.parametrize("keys", KEYS)
@pytest.mark.parametrize("bound", [1, 2, 21, 192])
def test_draws(keys, bound):
    state = expected = started(*keys)
    for _ in range(50):
        expected = expected + GOLDEN & BITS
        drawn = (mixed(expected) >> 11) / 2**53
        assert uniform(np.uint64(state))[1] == drawn
        state, whole = integer(np.uint64(state), bound)
        assert state == expected
        assert whole == int(drawn * bound)
        assert 0 <= whole < bound
