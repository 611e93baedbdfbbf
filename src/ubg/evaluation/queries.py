"""What a system made of each single query: the ground for comparing two systems query by query."""

import csv
import io
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ubg.runtime.opening import Kind, read_text

if TYPE_CHECKING:
    import pandas as pd

    from ubg.retrieval.ranking import Ranking

INTEGERS = ("caption_id", "image_id", "pid", "first_rank")
SHARES = ("average_precision", "inp")
METRICS = ("r1", "r5", "r10", "map", "minp")
MAX_QUERIES = 1_000_000


@dataclass(frozen=True)
class QueryResults:
    """Results of the Q captions of a split as queries, text to image.

    Attributes:
        ids: int64 [Q, 3], caption id, image id and identity of each query.
        first_rank: int64 [Q], rank of the best relevant image, from 1.
        average_precision, inp: float64 [Q], 0 to 1.
    """

    ids: NDArray[np.int64]
    first_rank: NDArray[np.int64]
    average_precision: NDArray[np.float64]
    inp: NDArray[np.float64]

    @property
    def pids(self) -> NDArray[np.int64]:
        return self.ids[:, 2]

    def values(self, metric: str) -> NDArray[np.float64]:
        """What each query adds to one of `METRICS`: [Q], percent, whose mean is the metric."""
        if metric == "map":
            return 100 * self.average_precision
        if metric == "minp":
            return 100 * self.inp
        within = self.first_rank <= int(metric.removeprefix("r"))
        return 100 * within.astype(np.float64)


def write_queries(path: str | Path, captions: "pd.DataFrame", ranking: "Ranking") -> None:
    """Write a row per query, the same bytes for the same ranks.

    Args:
        path: the CSV to write.
        captions: Q rows with `caption_id`, `image_id` and `pid`, in the order of the queries.
        ranking: of the Q queries.
    """
    columns: list[list[Any]] = [
        *(captions[name].tolist() for name in ("caption_id", "image_id", "pid")),
        ranking.first_rank.tolist(),
        [f"{value:.6f}" for value in ranking.average_precision],
        [f"{value:.6f}" for value in ranking.inverse_negative_penalty],
    ]
    with Path(path).open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow([*INTEGERS, *SHARES])
        table.writerows(zip(*columns, strict=True))


def read_queries(path: str | Path) -> QueryResults:
    """Read what `write_queries` wrote.

    Raises:
        ValueError: see `parse_queries`; also a file that cannot be read.
    """
    try:
        text = read_text(Path(path), Kind.TABLE)
    except FileNotFoundError:
        raise ValueError(f"{path}: missing; run the evaluation of this system again") from None
    except (OSError, ValueError) as error:
        raise ValueError(f"{path}: cannot be read: {error}") from None
    return parse_queries(text, str(path))


def parse_queries(text: str, source: str) -> QueryResults:
    """Parse the text of a file of `write_queries`.

    Raises:
        ValueError: no queries or too many, other columns, or a value that is no number or out of
            range; one line that begins with `source`.
    """
    header, _, body = text.partition("\n")
    if header.split(",") != [*INTEGERS, *SHARES]:
        raise ValueError(
            f"{source}: its columns must be {', '.join((*INTEGERS, *SHARES))}; "
            "run the evaluation of this system again"
        )
    if not body.strip():
        raise ValueError(f"{source}: holds no queries")
    try:
        values = np.loadtxt(
            io.StringIO(body), delimiter=",", ndmin=2, comments=None, max_rows=MAX_QUERIES + 1
        )
    except ValueError as error:
        raise ValueError(f"{source}: {str(error)[:300]}") from None
    if len(values) > MAX_QUERIES:
        raise ValueError(f"{source}: holds more than {MAX_QUERIES:,} queries")
    if values.shape[1] != len(INTEGERS) + len(SHARES):
        raise ValueError(f"{source}: rows must hold {len(INTEGERS) + len(SHARES)} values")

    integers, shares = values[:, : len(INTEGERS)], values[:, len(INTEGERS) :]
    whole = np.isfinite(integers) & (integers == np.floor(integers)) & (np.abs(integers) < 2**53)
    ranked = integers[:, 3] >= 1
    bounded = (shares >= 0) & (shares <= 1)
    sound = whole.all(axis=1) & ranked & bounded.all(axis=1)
    if not sound.all():
        line = int(np.argmin(sound)) + 2
        raise ValueError(f"{source}, line {line}: ids and ranks must be whole, shares in 0 to 1")
    whole_numbers = integers.astype(np.int64)
    return QueryResults(whole_numbers[:, :3], whole_numbers[:, 3], shares[:, 0], shares[:, 1])


def require_same_queries(
    ours: QueryResults, theirs: QueryResults, our_name: str, their_name: str
) -> None:
    """Check that two systems answered the same captions in the same order.

    Raises:
        ValueError: they did not; one line that names both and the first difference.
    """
    if len(ours.ids) != len(theirs.ids):
        difference = f"{len(ours.ids)} and {len(theirs.ids)} queries"
    elif not np.array_equal(ours.ids, theirs.ids):
        line = int(np.argmax((ours.ids != theirs.ids).any(axis=1))) + 2
        difference = f"line {line} is another caption, image or identity"
    else:
        return
    raise ValueError(
        f"{our_name} and {their_name} hold other queries ({difference}); "
        "compare systems evaluated on the same data set"
    )
