"""A trained model on one split: features, ranks, metrics."""

from dataclasses import dataclass

import pandas as pd
import torch

from ubg.data.images.image_pack import ImagePack
from ubg.retrieval.encode import Features, Split, encode_split, make_split
from ubg.retrieval.metrics import summarise
from ubg.retrieval.ranking import Ranking, bidirectional_ranks
from ubg.systems.contract import Trained


@dataclass(frozen=True)
class Measured:
    """A split through a model, and how it ranks."""

    split: Split
    features: Features
    text_to_image: Ranking
    image_to_text: Ranking

    def metrics(self) -> dict[str, dict[str, float]]:
        """Both directions as `metrics/<system>.json` has them."""
        rankings = {"t2i": self.text_to_image, "i2t": self.image_to_text}
        return {name: rounded(summarise(ranking)) for name, ranking in rankings.items()}


def measure_split(
    trained: Trained, table: pd.DataFrame, split: str, pack: ImagePack, batch_size: int
) -> Measured:
    """Rank the images of a split for each of its captions, and the other way round."""
    rows = make_split(
        table, split, trained.tokenizer, trained.network.max_tokens, trained.model.caption_fields
    )
    features = encode_split(trained.model, rows, pack, batch_size)
    rankings = bidirectional_ranks(
        features.text_QD, features.image_GD, rows.text_pids, rows.image_pids
    )
    return Measured(rows, features, *rankings)


def best_device() -> str:
    """The GPU where there is one."""
    return "cuda" if torch.cuda.is_available() else "cpu"


def rounded(values: dict[str, float]) -> dict[str, float]:
    return {name: round(value, 3) for name, value in values.items()}
