"""All kinds of query ranked: per query, per kind, the four averages and the score."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ubg.retrieval.metrics import summarise
from ubg.retrieval.ranking import Ranking, relevant_ranks
from ubg.runtime.cpu_products import fast_products
from ubg.systems.clip_mer.evaluation import kinds
from ubg.systems.clip_mer.evaluation.kinds import parts_of
from ubg.systems.clip_mer.evaluation.parts import EncodedParts, Queries, encode_parts
from ubg.systems.clip_mer.model import ClipMer

FUSED_AT_ONCE = 512


@dataclass(frozen=True)
class Gallery:
    """Unit vectors float32 [G, D] of G images, and their identities [G]."""

    features_GD: Tensor
    pids: NDArray[np.int64]


@dataclass(frozen=True)
class Kinds:
    """How the queries of each kind rank the gallery.

    Attributes:
        rankings: by kind, of its queries in the order of `Queries.rows_by_kind`.
    """

    rankings: dict[str, Ranking]

    def metrics(self) -> dict[str, dict[str, float]]:
        """R@1, R@5, R@10, mAP and mINP of each kind, percent."""
        return {kind: summarise(ranking) for kind, ranking in self.rankings.items()}

    def averages(self) -> dict[str, dict[str, float]]:
        """The same over the kinds of one part ("one"), two, three and four."""
        return kinds.plain_means(self.metrics())

    @property
    def score(self) -> float:
        """The mean of the four averages of mAP."""
        return kinds.score(self.averages())


def measure_kinds(model: ClipMer, queries: Queries, gallery: Gallery, batch_size: int) -> Kinds:
    """Rank the gallery for the queries of each kind, by the fusion of their parts.

    Args:
        model: in evaluation mode.
        queries: of one split.
        gallery: of the same split.
        batch_size: of the encoders.

    Raises:
        ValueError: a query searches for somebody who is not in the gallery.
    """
    encoded = encode_parts(model, queries, batch_size, quiet=True)
    return rank_kinds(model, queries, encoded, gallery)


def rank_kinds(model: ClipMer, queries: Queries, encoded: EncodedParts, gallery: Gallery) -> Kinds:
    """As `measure_kinds`, of parts that were encoded before."""
    rankings = {}
    for kind, rows in queries.rows_by_kind().items():
        tokens = {part: encoded.of(part, rows) for part in parts_of(kind)}
        rankings[kind] = rank_queries(fused(model, tokens), queries.pids[rows], gallery)
    return Kinds(rankings)


@torch.inference_mode()
@fast_products()
def fused(model: ClipMer, tokens: Mapping[str, Tensor]) -> Tensor:
    """The queries with these parts, each [Q, T, W], as unit vectors [Q, D] on the CPU."""
    device = next(model.parameters()).device
    chunks = {part: values.split(FUSED_AT_ONCE) for part, values in tokens.items()}
    batches = zip(*chunks.values(), strict=True)
    return torch.cat(
        [
            model.fuse(dict(zip(chunks, (part.to(device) for part in batch), strict=True))).cpu()
            for batch in batches
        ]
    )


def rank_queries(query_QD: Tensor, pids: NDArray[np.int64], gallery: Gallery) -> Ranking:
    """Rank the gallery for each query of identity `pids` [Q]."""
    return relevant_ranks(query_QD, gallery.features_GD, pids, gallery.pids)
