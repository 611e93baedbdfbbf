"""A trained model on one split: features, ranks, metrics."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from ubg.data.images.image_pack import ImagePack
from ubg.retrieval.code_score import BY_BOTH, BY_EMBEDDINGS, CodeScore, code_scores
from ubg.retrieval.encode import Features, Split, encode_split, make_split
from ubg.retrieval.metrics import summarise
from ubg.retrieval.ranking import Ranking, bidirectional_ranks
from ubg.systems.contract import Trained


@dataclass(frozen=True)
class Ranked:
    """A split ranked in both directions."""

    text_to_image: Ranking
    image_to_text: Ranking


@dataclass(frozen=True)
class Measured:
    """A split through a model, and how it ranks.

    Attributes:
        split: T captions and I images.
        features: by the model.
        ranked: `BY_EMBEDDINGS` and, where the system has a second score, `BY_BOTH`.
        added_TI: that second score.
    """

    split: Split
    features: Features
    ranked: dict[str, Ranked]
    added_TI: NDArray[np.float32] | None

    @property
    def distractors(self) -> NDArray[np.bool_]:
        """Which images are of people whom no caption describes, [I]: no query searches by them."""
        return ~np.isin(self.split.image_pids, self.split.text_pids)

    def metrics(self) -> dict[str, dict[str, float]]:
        """Both directions as `metrics/<system>.json` has them, and where some are, distractors."""
        values: dict[str, dict[str, float]] = {}
        for suffix, ranked in self.ranked.items():
            values[f"t2i{suffix}"] = rounded(summarise(ranked.text_to_image))
            values[f"i2t{suffix}"] = rounded(summarise(ranked.image_to_text))
        if (distractors := self.distractors).any():
            people = np.unique(self.split.image_pids[distractors])
            values["distractors"] = {"images": int(distractors.sum()), "identities": len(people)}
        return values


def measure_split(
    trained: Trained,
    table: pd.DataFrame,
    split: str,
    pack: ImagePack,
    batch_size: int,
    score: CodeScore | None,
) -> Measured:
    """Rank the images of a split for each of its captions, and the other way round.

    Where there is a second score, they are ranked by embeddings alone and by both scores.
    """
    rows = make_split(
        table, split, trained.tokenizer, trained.network.max_tokens, trained.model.caption_fields
    )
    features = encode_split(trained.model, rows, pack, batch_size)
    sides = features.text_QD, features.image_GD, rows.text_pids, rows.image_pids
    ranked = {BY_EMBEDDINGS: Ranked(*bidirectional_ranks(*sides))}
    if score is None:
        return Measured(rows, features, ranked, None)
    device = next(trained.model.parameters()).device
    added_TI = code_scores(score, rows, pack, batch_size, device=device)
    ranked[BY_BOTH] = Ranked(*bidirectional_ranks(*sides, added_TI))
    return Measured(rows, features, ranked, added_TI)


def best_device() -> str:
    """The GPU where there is one."""
    return "cuda" if torch.cuda.is_available() else "cpu"


def metrics_lines(split: str, metrics: dict[str, dict[str, float]]) -> str:
    """What `Measured.metrics` gives, a line for each direction and for the distractors."""
    lines = []
    for name, values in metrics.items():
        form = "," if name == "distractors" else ".2f"
        shown = "  ".join(f"{key} {value:{form}}" for key, value in values.items())
        lines.append(f"{split} {name}: {shown}")
    return "\n".join(lines)


def rounded(values: dict[str, float]) -> dict[str, float]:
    return {name: round(value, 3) for name, value in values.items()}
