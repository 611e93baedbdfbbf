"""What the fusion of several parts is compared with, on the same queries.

Legend: Q queries of a kind, T tokens of a part, W their width, D shared dimension.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ubg.runtime.cpu_products import fast_products
from ubg.runtime.progress import progress_bar
from ubg.systems.clip_mer.evaluation.kinds import parts_of
from ubg.systems.clip_mer.evaluation.measure import FUSED_AT_ONCE, Gallery, fused, rank_queries
from ubg.systems.clip_mer.evaluation.parts import EncodedParts, Queries
from ubg.systems.clip_mer.model import ClipMer


@dataclass(frozen=True)
class Controls:
    """Average precision of the queries of one kind, float64 [Q], 0 to 1.

    Attributes:
        mean: by the mean of the parts' own embeddings, which no fusion was trained for.
        left_out: by fusion without one part, by that part.
        exchanged: by fusion with one part exchanged for another person's, by that part.
    """

    mean: NDArray[np.float64]
    left_out: dict[str, NDArray[np.float64]]
    exchanged: dict[str, NDArray[np.float64]]


def measure_controls(
    model: ClipMer, queries: Queries, encoded: EncodedParts, gallery: Gallery, seed: int
) -> dict[str, Controls]:
    """The controls of each kind of several parts; `seed` is of the exchanges."""
    rng = np.random.default_rng(seed)
    kinds = {kind: rows for kind, rows in queries.rows_by_kind().items() if "+" in kind}
    found = {}
    for kind, rows in progress_bar("controls", iterable=kinds.items(), unit="kind"):
        pids_Q = queries.pids[rows]
        tokens = {part: encoded.of(part, rows) for part in parts_of(kind)}

        def precision(
            embed: Callable[[ClipMer, Mapping[str, Tensor]], Tensor],
            parts: Mapping[str, Tensor],
            pids_Q: NDArray[np.int64] = pids_Q,
        ) -> NDArray[np.float64]:
            return rank_queries(embed(model, parts), pids_Q, gallery).average_precision

        left_out, exchanged = {}, {}
        for part in tokens:
            others = {name: values for name, values in tokens.items() if name != part}
            stranger_Q = torch.from_numpy(another_persons(pids_Q, rng))
            left_out[part] = precision(fused, others)
            exchanged[part] = precision(fused, {**tokens, part: tokens[part][stranger_Q]})
        found[kind] = Controls(precision(mean_of_singles, tokens), left_out, exchanged)
    return found


@torch.inference_mode()
@fast_products()
def mean_of_singles(model: ClipMer, tokens: Mapping[str, Tensor]) -> Tensor:
    """The mean of the embeddings of the parts, each [Q, T, W] alone: [Q, D] on the CPU."""
    device = next(model.parameters()).device
    singles = [
        torch.cat([model.single(part, some.to(device)) for some in values.split(FUSED_AT_ONCE)])
        for part, values in tokens.items()
    ]
    return torch.stack(singles).mean(dim=0).cpu()


def another_persons(pids_Q: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int64]:
    """For each query one of another person, drawn evenly: int64 [Q].

    Raises:
        ValueError: all queries are for one person.
    """
    order_Q = np.argsort(pids_Q, kind="stable")
    sorted_Q = pids_Q[order_Q]
    first_Q = np.searchsorted(sorted_Q, pids_Q)
    own_Q = np.searchsorted(sorted_Q, pids_Q, side="right") - first_Q
    others_Q = len(pids_Q) - own_Q
    if (others_Q == 0).any():
        raise ValueError(
            f"all {len(pids_Q)} queries of a kind are for person {pids_Q[0]}: there is nobody to "
            "exchange parts with; use a data set of several persons"
        )
    drawn_Q = rng.integers(others_Q)
    return order_Q[np.where(drawn_Q < first_Q, drawn_Q, drawn_Q + own_Q)]
