"""Orders drawn by chance that stay the same with every version of NumPy."""

import numpy as np
from numpy.typing import NDArray


class Shuffler:
    """A stream of random orders.

    NumPy guarantees that PCG64's raw numbers never change, but not the methods of `Generator`.
    """

    def __init__(self, seed: int) -> None:
        self._bits = np.random.PCG64(seed)

    def order(self, size: int) -> NDArray[np.int64]:
        """The numbers 0 to `size` - 1 in the next order, [size]."""
        return np.argsort(self._bits.random_raw(size), kind="stable")

    def choose(self, candidates: NDArray[np.int64]) -> int:
        """One of the candidates, [N]; the bias of the remainder is below N / 2^64."""
        return int(candidates[int(self._bits.random_raw()) % len(candidates)])
