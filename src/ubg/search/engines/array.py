"""The embedded engine: exact search over a memory-mapped array."""

import numpy as np
from numpy.typing import NDArray

from ubg.search.engines.contract import Found
from ubg.search.rows import RowFile
from ubg.search.topk import Scored, exact_top


class ArrayIndex:
    """Rows of a file, and which id each row is of; a gallery keeps the latter in its database.

    Attributes:
        file: where the rows are.
        ids_N: of the rows, ascending.
        alive_N: whether a row was not removed.
    """

    def __init__(self, file: RowFile) -> None:
        self.file = file
        self.ids_N = np.empty(0, np.int64)
        self.alive_N = np.empty(0, bool)

    def add(self, ids_N: NDArray[np.int64], vectors_ND: NDArray[np.float32]) -> None:
        """As `Index.add`."""
        assert (np.diff(np.concatenate([self.ids_N[-1:], ids_N])) > 0).all()
        self.file.write(len(self.ids_N), vectors_ND)
        self.ids_N = np.concatenate([self.ids_N, ids_N])
        self.alive_N = np.concatenate([self.alive_N, np.ones(len(ids_N), bool)])

    def remove(self, ids_N: NDArray[np.int64]) -> None:
        """As `Index.remove`."""
        self.alive_N &= ~np.isin(self.ids_N, ids_N)

    def search(
        self, vectors_QD: NDArray[np.float32], top: int, allowed: NDArray[np.int64] | None = None
    ) -> list[Found]:
        """As `Index.search`; exact."""
        allowed_N = self.alive_N
        if allowed is not None:
            allowed_N = allowed_N & np.isin(self.ids_N, allowed)
        rows = Scored(self.file.read(len(self.ids_N)))
        found = exact_top(rows, vectors_QD, None, allowed_N, top)
        return [Found(self.ids_N[places], scores) for places, scores in found]

    def count(self) -> int:
        """As `Index.count`."""
        return int(self.alive_N.sum())

    def newest(self) -> int:
        """As `Index.newest`."""
        return int(self.ids_N[self.alive_N].max(initial=0))
