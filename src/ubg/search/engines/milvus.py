"""Search beyond one machine: vectors in a Milvus server, through pymilvus.

What is known of the images stays in the gallery's folder; the server has ids and vectors.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ubg.search.engines.contract import Found

ROWS = 5000  # of one message
PATIENCE = 30.0  # seconds


class MilvusIndex:
    """A collection of a server, exact (`FLAT`) or approximate, as the server's index is."""

    def __init__(self, uri: str, collection: str, dimension: int, kind: str = "HNSW") -> None:
        """Connect; the collection is made where there is none.

        Args:
            uri: as "http://host:19530".
            collection: its name, of letters, digits and underscores.
            dimension: of a vector.
            kind: type of index, as Milvus names it, of a new collection.

        Raises:
            ValueError: no server answers, or pymilvus is not installed.
        """
        self.uri, self.collection = uri, collection
        with self._telling():
            self.client = _pymilvus().MilvusClient(uri, timeout=PATIENCE)
            if not self.client.has_collection(collection):
                self._create(dimension, kind)
            self.client.load_collection(collection)

    def add(self, ids_N: NDArray[np.int64], vectors_ND: NDArray[np.float32]) -> None:
        """As `Index.add`."""
        for rows in _parts(len(ids_N)):
            records = [
                {"id": int(id), "vector": vector}
                for id, vector in zip(ids_N[rows], vectors_ND[rows], strict=True)
            ]
            with self._telling():
                self.client.insert(self.collection, records)

    def remove(self, ids_N: NDArray[np.int64]) -> None:
        """As `Index.remove`."""
        for rows in _parts(len(ids_N)):
            with self._telling():
                self.client.delete(self.collection, ids=ids_N[rows].tolist())

    def drop_others(self, prefix: str) -> None:
        """Remove the other collections whose names begin so."""
        with self._telling():
            for name in self.client.list_collections():
                if name.startswith(prefix) and name != self.collection:
                    self.client.drop_collection(name)

    def search(
        self, vectors_QD: NDArray[np.float32], top: int, allowed: NDArray[np.int64] | None = None
    ) -> list[Found]:
        """As `Index.search`; the allowed ids travel with the question."""
        if allowed is not None and len(allowed) == 0:
            return [Found(np.empty(0, np.int64), np.empty(0)) for _ in vectors_QD]
        condition = "" if allowed is None else f"id in {allowed.tolist()}"
        with self._telling():
            answers = self.client.search(
                self.collection,
                data=list(vectors_QD),
                limit=top,
                filter=condition,
                consistency_level="Strong",
            )
        return [_ordered([(hit["id"], hit["distance"]) for hit in hits]) for hits in answers]

    def count(self) -> int:
        """As `Index.count`."""
        (row,) = self._query("", ["count(*)"])
        return int(row["count(*)"])

    def newest(self) -> int:
        """As `Index.newest`: found by halving, as servers sort no query."""
        low, high = 0, 2**62
        while low < high:
            middle = (low + high) // 2
            if self._query(f"id > {middle}", ["id"], limit=1):
                low = middle + 1
            else:
                high = middle
        return low

    def _query(self, condition: str, fields: list[str], **options: int) -> list[dict[str, Any]]:
        with self._telling():
            return list(
                self.client.query(
                    self.collection,
                    filter=condition,
                    output_fields=fields,
                    consistency_level="Strong",
                    **options,
                )
            )

    @contextmanager
    def _telling(self) -> Iterator[None]:
        """What a server answers to a call within, or that it does not, is a ValueError."""
        try:
            yield
        except _pymilvus().MilvusException as error:
            reason = " ".join(str(error.message).split())[:200]
            raise ValueError(f"{self.uri}: the server does not answer as asked: {reason}") from None

    def _create(self, dimension: int, kind: str) -> None:
        kinds = _pymilvus().DataType
        schema = self.client.create_schema(auto_id=False)
        schema.add_field("id", kinds.INT64, is_primary=True)
        schema.add_field("vector", kinds.FLOAT_VECTOR, dim=dimension)
        params = self.client.prepare_index_params()
        params.add_index("vector", index_type=kind, metric_type="IP")
        self.client.create_collection(self.collection, schema=schema, index_params=params)


def _pymilvus() -> Any:
    try:
        import pymilvus
    except ImportError:
        raise ValueError(
            "a Milvus server takes pymilvus, which is not installed: pip install 'ubg[search]'"
        ) from None
    return pymilvus


def _ordered(hits: list[tuple[int, float]]) -> Found:
    by_score = sorted(hits, key=lambda hit: (-hit[1], hit[0]))
    return Found(
        np.array([id for id, _ in by_score], np.int64),
        np.array([score for _, score in by_score], np.float64),
    )


def _parts(count: int) -> Iterator[slice]:
    for start in range(0, count, ROWS):
        yield slice(start, start + ROWS)
