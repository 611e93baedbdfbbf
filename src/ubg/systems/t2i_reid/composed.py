"""Composed queries: an image of somebody, and a clothing caption of another outfit of theirs.

What they seek are the images of that person in that other outfit. All images of the split are
searched but the one that asks; the person in the outfit of the query is a distractor like others.
"""

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from ubg.data.images.image_pack import ImagePack
from ubg.retrieval.bootstrap import paired_bootstraps
from ubg.retrieval.encode import encode_split, make_split
from ubg.retrieval.ranking import bidirectional_ranks
from ubg.systems.contract import Trained
from ubg.systems.t2i_reid.branches import CLOTHING, IDENTITY, against_joined, part
from ubg.systems.t2i_reid.gate import Gate
from ubg.systems.t2i_reid.model import T2iReid
from ubg.systems.t2i_reid.share import SHARES

QUERIES_AT_ONCE = 4096  # each has a number for every image
LAST = -4.0  # added to a cosine

Values: TypeAlias = dict[str, NDArray[np.float64]]  # what each query adds to a metric, percent, [Q]


@dataclass(frozen=True)
class ComposedQueries:
    """Q queries to a gallery of G images, embedded; D of a branch.

    Attributes:
        identity_QD: of the images that ask, by the identity branch.
        clothing_QD: of the captions, by the clothing branch.
        own_Q: which image of the gallery asks.
        persons_Q: who is on it.
        sought_Q: the pid, a person in an outfit, of what is right.
        gallery_GE: joined vectors.
        pids_G: of the gallery.
        share: of the identity in the gallery's vectors.
    """

    identity_QD: Tensor
    clothing_QD: Tensor
    own_Q: NDArray[np.int64]
    persons_Q: NDArray[np.int64]
    sought_Q: NDArray[np.int64]
    gallery_GE: Tensor
    pids_G: NDArray[np.int64]
    share: Tensor

    def summed(self, share: float) -> Values:
        """How the sum of both parts ranks, the image counting `share`, from 0 to 1."""
        return self.ranked(share * self.identity_QD, (1 - share) * self.clothing_QD)

    def gated(self, gate: Gate) -> Values:
        """How the sum of both parts ranks that a gate has weighted."""
        with torch.inference_mode():
            return self.ranked(*gate(self.identity_QD, self.clothing_QD))

    def ranked(self, identity_QD: Tensor, clothing_QD: Tensor) -> Values:
        """How queries rank that ask so much of the branches, rows of any length."""
        query_QE = against_joined(identity_QD, clothing_QD, self.share)
        first_rank_Q, precision_Q = self._ranks(query_QE)
        values = {f"r{k}": 100 * (first_rank_Q <= k).astype(np.float64) for k in (1, 5, 10)}
        return values | {"map": 100 * precision_Q}

    def _ranks(self, query_QE: Tensor) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """The rank of the best right image and the average precision of each query."""
        found = []
        for start in range(0, len(query_QE), QUERIES_AT_ONCE):
            rows = slice(start, start + QUERIES_AT_ONCE)
            own_B = self.own_Q[rows]
            added_BG = np.zeros((len(own_B), len(self.pids_G)), np.float32)
            added_BG[np.arange(len(own_B)), own_B] = LAST
            sides = query_QE[rows], self.gallery_GE, self.sought_Q[rows], self.pids_G
            found.append(bidirectional_ranks(*sides, added_BG)[0])
        return (
            np.concatenate([ranking.first_rank for ranking in found]),
            np.concatenate([ranking.average_precision for ranking in found]),
        )


def composed_pairs(images: pd.DataFrame) -> pd.DataFrame:
    """Every image with every clothing caption of another outfit of its person.

    Equal captions of a person in an outfit count once.

    Args:
        images: of a split, as `ubg.data.clothing.load_clothing` returns them.

    Returns:
        "own" and "caption", which row of `images` asks and which row's caption; "person"; "sought",
        the pid that is right.
    """
    images = images.assign(row=np.arange(len(images)))
    said = images[images["clothing_caption"] != ""]
    said = said.drop_duplicates(["pid", "clothing_caption"])
    said = said.rename(columns={"row": "caption", "pid": "sought"})
    asking = images.rename(columns={"row": "own"})[["own", "pid", "person"]]
    pairs = asking.merge(said[["caption", "sought", "person"]], on="person")
    return pairs[pairs["pid"] != pairs["sought"]].drop(columns="pid").reset_index(drop=True)


def embed_queries(
    trained: Trained, clothing: pd.DataFrame, split: str, pack: ImagePack, batch_size: int
) -> ComposedQueries | None:
    """All composed queries of a split; None where nobody in it has two outfits."""
    images = clothing[clothing["split"] == split].reset_index(drop=True)
    pairs = composed_pairs(images)
    if pairs.empty:
        return None
    model = trained.model
    assert isinstance(model, T2iReid)
    is_asked = images.index.isin(pairs["caption"])
    said = images.assign(caption=images["clothing_caption"].where(is_asked, ""))
    tokens = trained.tokenizer, trained.network.max_tokens
    features = encode_split(
        model, make_split(said, split, *tokens, model.caption_fields), pack, batch_size, quiet=True
    )
    share = model.branches.identity_share.cpu()
    own_Q, caption_Q, persons_Q, sought_Q = (
        np.array(pairs[name], np.int64) for name in ("own", "caption", "person", "sought")
    )
    number_of_caption = np.cumsum(is_asked) - 1
    return ComposedQueries(
        identity_QD=part(features.image_GD, share)[IDENTITY][own_Q],
        clothing_QD=part(features.text_QD, share)[CLOTHING][number_of_caption[caption_Q]],
        own_Q=own_Q,
        persons_Q=persons_Q,
        sought_Q=sought_Q,
        gallery_GE=features.image_GD,
        pids_G=images["pid"].to_numpy(np.int64),
        share=share,
    )


def evaluate_composed(
    trained: Trained,
    gate: Gate | None,
    clothing: pd.DataFrame,
    pack: ImagePack,
    batch_size: int,
) -> dict[str, Any]:
    """R@1, R@5, R@10 and mAP of composed queries on test, percent, with intervals over persons.

    Args:
        trained: the selected weights.
        gate: that was trained with them, if any.
        clothing: of images in the pack.
        pack: all images.
        batch_size: of images and captions to encode.

    Returns:
        "queries", how many there are; "image" and "caption", by one part alone; "sum", by the share
        of the identity that the model ranks captions by; "sum_tuned", by its own "identity_share",
        that of the best R@1 of composed queries on validation; "gated", and "gated_over_sum_tuned",
        the difference. Of R@1 and mAP also "_low" and "_high", 95 %. Empty where nobody has two
        outfits on test.
    """
    test, val = (
        embed_queries(trained, clothing, split, pack, batch_size) for split in ("test", "val")
    )
    if test is None:
        return {}
    shares = {"image": 1.0, "caption": 0.0, "sum": float(test.share)}
    if val is not None:
        shares["sum_tuned"] = best_share(val)
    found = {name: test.summed(share) for name, share in shares.items()}
    if gate is not None:
        found["gated"] = test.gated(gate)
    rows = {name: _row(values, test.persons_Q) for name, values in found.items()}
    if val is not None:
        rows["sum_tuned"]["identity_share"] = shares["sum_tuned"]
    if val is not None and gate is not None:
        more = {name: found["gated"][name] - found["sum_tuned"][name] for name in found["gated"]}
        rows["gated_over_sum_tuned"] = _row(more, test.persons_Q)
    for name, row in rows.items():
        print(f"composed, test, {name}: " + "  ".join(f"{key} {row[key]:.2f}" for key in row))
    return {"queries": len(test.own_Q), **rows}


def best_share(queries: ComposedQueries) -> float:
    """The share of the image in the sum with the best R@1; of equals the nearest to 1/2."""
    return max(SHARES, key=lambda share: (queries.summed(share)["r1"].mean(), -abs(share - 0.5)))


def _row(values: Values, persons_Q: NDArray[np.int64]) -> dict[str, float]:
    """Means, and of R@1 and mAP the ends of their intervals."""
    row = {name: round(float(value_Q.mean()), 3) for name, value_Q in values.items()}
    spread = {name: values[name] for name in ("r1", "map")}
    for name, interval in paired_bootstraps(spread, persons_Q).items():
        if interval.ends is not None:
            row[f"{name}_low"], row[f"{name}_high"] = (round(end, 3) for end in interval.ends)
    return row
