"""What search asks of an engine, which knows ids and vectors and nothing else of an image."""

from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

MAX_FOUND = 16_384  # for a query: the most that a Milvus server answers
SPARE = 20  # to ask an engine for beyond what is wanted, as its scores may be rounded


class Found(NamedTuple):
    """What an engine found for a query, best first: ids and inner products.

    The latter are as exact as the engine is: who needs them exact scores `SPARE` more.
    """

    ids: NDArray[np.int64]
    scores: NDArray[np.float64]


class Index(Protocol):
    """Unit vectors by id.

    Of equal scores the lower id comes first, as far as the engine is exact.
    """

    def add(self, ids_N: NDArray[np.int64], vectors_ND: NDArray[np.float32]) -> None:
        """Add vectors of new ids, which ascend and are above all before."""

    def remove(self, ids_N: NDArray[np.int64]) -> None:
        """Take ids out; those that are not there count for nothing."""

    def search(
        self, vectors_QD: NDArray[np.float32], top: int, allowed: NDArray[np.int64] | None = None
    ) -> list[Found]:
        """The nearest of each query, `top` at most.

        Args:
            vectors_QD: unit vectors.
            top: how many.
            allowed: the ids that may be found, ascending; None for all.
        """

    def count(self) -> int:
        """How many vectors are there."""

    def newest(self) -> int:
        """The highest id that is there; 0 for none."""
