"""SplitMix64 (Steele et al., OOPSLA 2014): random numbers that are a function of their keys.

A sample's draws depend on seed, epoch and the ids of the sample alone, so they are the same in
every batch composition, order and number of threads.
"""

import numpy as np

from ubg.runtime.compiled import cached_njit

STEP = np.uint64(0x9E3779B97F4A7C15)


@cached_njit()
def start(seed: np.uint64, epoch: np.uint64, image: np.uint64, caption: np.uint64) -> np.uint64:
    """The state from which the draws of one sample begin."""
    state = mix(seed + STEP)
    for key in (epoch, image, caption):
        state = mix((state ^ key) + STEP)
    return state


@cached_njit()
def uniform(state: np.uint64) -> tuple[np.uint64, float]:
    """The next state and a number in [0, 1)."""
    state = state + STEP
    return state, (mix(state) >> np.uint64(11)) * 2.0**-53


@cached_njit()
def integer(state: np.uint64, bound: int) -> tuple[np.uint64, int]:
    """The next state and a whole number from 0 to `bound` - 1."""
    state, u = uniform(state)
    return state, int(u * bound)


@cached_njit()
def mix(z: np.uint64) -> np.uint64:
    """A bijection of 64 bits, every bit of which depends on all others."""
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))
