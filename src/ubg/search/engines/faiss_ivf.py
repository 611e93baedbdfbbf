"""Approximate search by FAISS: vectors in cells, of which those nearest to a query are searched.

A cell keeps its vectors as one byte a number, so that a search reads a quarter of what the array
would take; what is found is then scored by the array. The file is made of that at any time, and
holds nothing that it does not.
"""

import math
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ubg.runtime.files import replace_file
from ubg.runtime.opening import Kind, check_file
from ubg.search.engines.contract import SPARE, Found
from ubg.search.topk import Scored, exact_top

PER_CELL = 64  # vectors in the training of a cell; below 39 FAISS warns
SAMPLE, DEPTH = 500, 10  # queries that recall is measured by, and how deep
ADD_ROWS = 65_536


class FaissIndex:
    """Vectors in cells, and how many cells a query looks into.

    Attributes:
        recall: share of the ten nearest that are among what it finds for them, as measured when it
            was built.
    """

    def __init__(self, index: Any, recall: float = math.nan) -> None:
        self.index, self.recall = index, recall

    @classmethod
    def build(
        cls, ids_N: NDArray[np.int64], vectors_ND: NDArray[np.floating], recall: float
    ) -> "FaissIndex":
        """Of vectors, so that it finds that share of the ten nearest.

        It is measured with vectors of the gallery as queries, which are left out of their own
        results: sentences lie further from the images, and their recall may be lower.

        Args:
            ids_N: ascending.
            vectors_ND: unit vectors, at least one.
            recall: 0 to 1.
        """
        faiss = _faiss()
        count, dimension = vectors_ND.shape
        cells = max(1, min(round(4 * math.sqrt(count)), count // PER_CELL))
        quantizer = faiss.IndexFlatIP(dimension)
        index = faiss.IndexIVFScalarQuantizer(
            quantizer,
            dimension,
            cells,
            faiss.ScalarQuantizer.QT_8bit,
            faiss.METRIC_INNER_PRODUCT,
        )
        index.cp.max_points_per_centroid = PER_CELL
        index.cp.min_points_per_centroid = 1  # of few images, one cell: nothing to warn of
        generator = np.random.default_rng(0)
        chosen = np.sort(generator.permutation(count)[: cells * PER_CELL])
        index.train(np.ascontiguousarray(vectors_ND[chosen], np.float32))
        built = cls(index)
        for start in range(0, count, ADD_ROWS):
            rows = slice(start, start + ADD_ROWS)
            built.add(ids_N[rows], vectors_ND[rows])
        built._tune(ids_N, vectors_ND, np.sort(generator.permutation(count)[:SAMPLE]), recall)
        return built

    @classmethod
    def open(cls, gallery: Path, generation: int) -> "FaissIndex":
        """The one that `save` wrote for that generation of the rows, memory-mapped.

        Raises:
            ValueError: there is none, or it is damaged, or FAISS is not installed.
        """
        faiss, path = _faiss(), _file(gallery, generation)
        if not path.exists():
            raise ValueError(f"{path}: is missing; make it with `ubg accelerate {gallery}`")
        size = check_file(path, Kind.PACK)
        faiss.set_deserialization_vector_byte_limit(size)  # else the file says how much to ask for
        faiss.set_deserialization_loop_limit(size)
        damaged = ValueError(f"{path}: is damaged; make it anew with `ubg accelerate`")
        try:
            index = faiss.read_index(str(path), faiss.IO_FLAG_MMAP | faiss.IO_FLAG_READ_ONLY)
        except (RuntimeError, MemoryError):
            raise damaged from None
        if not isinstance(index, faiss.IndexIVFScalarQuantizer) or not _is_whole(index):
            raise damaged
        return cls(index)

    def save(self, gallery: Path, generation: int) -> None:
        """Write it whole or not at all."""
        with replace_file(_file(gallery, generation)) as aside:
            _faiss().write_index(self.index, str(aside))

    def add(self, ids_N: NDArray[np.int64], vectors_ND: NDArray[np.floating]) -> None:
        """As `Index.add`."""
        vectors_ND = np.ascontiguousarray(vectors_ND, np.float32)
        self.index.add_with_ids(vectors_ND, np.ascontiguousarray(ids_N))

    def remove(self, ids_N: NDArray[np.int64]) -> None:
        """As `Index.remove`."""
        self.index.remove_ids(np.ascontiguousarray(ids_N))

    def search(
        self, vectors_QD: NDArray[np.float32], top: int, allowed: NDArray[np.int64] | None = None
    ) -> list[Found]:
        """As `Index.search`; approximate."""
        faiss = _faiss()
        if allowed is not None and len(allowed) == 0:
            return [Found(np.empty(0, np.int64), np.empty(0)) for _ in vectors_QD]
        bits = None if allowed is None else _bits(allowed)  # FAISS keeps a bare pointer to it
        selector = None
        if bits is not None:
            selector = faiss.IDSelectorBitmap(len(bits) * 8, faiss.swig_ptr(bits))
        params = faiss.SearchParametersIVF(sel=selector, nprobe=self.index.nprobe)
        scores_QK, ids_QK = self.index.search(
            np.ascontiguousarray(vectors_QD), min(top, max(1, self.count())), params=params
        )
        return [
            _ordered(ids[ids >= 0], scores[ids >= 0])
            for ids, scores in zip(ids_QK, scores_QK, strict=True)
        ]

    def count(self) -> int:
        """As `Index.count`."""
        return int(self.index.ntotal)

    def newest(self) -> int:
        """As `Index.newest`."""
        faiss, lists = _faiss(), self.index.invlists
        newest = 0
        for cell in range(self.index.nlist):
            ids = faiss.rev_swig_ptr(lists.get_ids(cell), lists.list_size(cell))
            newest = max(newest, int(ids.max(initial=0)))
        return newest

    def _tune(
        self,
        ids_N: NDArray[np.int64],
        vectors_ND: NDArray[np.floating],
        rows_Q: NDArray[np.int64],
        recall: float,
    ) -> None:
        """Look into as few cells as find enough of what an exact search for some rows finds."""
        vectors_QD = np.ascontiguousarray(vectors_ND[rows_Q], np.float32)
        everything = np.ones(len(ids_N), bool)
        nearest = exact_top(Scored(vectors_ND), vectors_QD, None, everything, DEPTH + 1)
        exact = [
            ids_N[rows[rows != own][:DEPTH]] for (rows, _), own in zip(nearest, rows_Q, strict=True)
        ]
        probes = 1
        while True:
            self.index.nprobe = probes
            found = self.search(vectors_QD, DEPTH + 1 + SPARE)
            pairs = zip(exact, found, strict=True)
            hits = sum(len(np.intersect1d(one, other.ids)) for one, other in pairs)
            self.recall = hits / max(1, sum(map(len, exact)))
            if self.recall >= recall or probes >= self.index.nlist:
                return
            probes = min(self.index.nlist, math.ceil(probes * 1.25))


def _ordered(ids: NDArray[np.int64], scores: NDArray[np.float32]) -> Found:
    order = np.lexsort((ids, -scores))
    return Found(ids[order], scores[order].astype(np.float64))


def _is_whole(index: Any) -> bool:
    """Whether a search can be made, which FAISS finds out no earlier than then."""
    return 1 <= index.nprobe <= index.nlist and index.invlists.compute_ntotal() == index.ntotal


def _file(gallery: Path, generation: int) -> Path:
    return gallery / f"index.{generation}.faiss"


def _bits(ids: NDArray[np.int64]) -> NDArray[np.uint8]:
    marked = np.zeros(int(ids[-1]) + 1, bool)
    marked[ids] = True
    return np.packbits(marked, bitorder="little")


def _faiss() -> Any:
    try:
        import faiss
    except ImportError:
        raise ValueError(
            "approximate search takes FAISS, which is not installed: pip install 'ubg[search]'"
        ) from None
    return faiss
