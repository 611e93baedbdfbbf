"""What t2i_reid adds to a batch: who it is, what is worn, and what is said of either alone."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from ubg.data.batches.fields import Batch, Samples
from ubg.data.text.captions import TokenisedCaptions
from ubg.systems.t2i_reid.gradient_reversal import reversal_strength

DRAW = 0x636C6F  # keeps these draws apart from those of others with the same seed


class CaptionsOfImages:
    """The captions of one kind, one per training row, perhaps "".

    Args:
        kind: "identity" or "clothing".
        texts: of the rows.
        tokenizer: of them.
        max_tokens: longer ones are cut.

    Attributes:
        numbers: int64 [rows], the same where the words are; no two are where a caption is missing.
        there: bool [rows], whether it has words.
        words: how many tokens of text all of them have between them.
    """

    def __init__(self, kind: str, texts: Sequence[str], tokenizer: Any, max_tokens: int) -> None:
        fields = (f"{kind}_ids", f"{kind}_mask")
        self.kind = kind
        self.there = np.array([text != "" for text in texts])
        number_of = {text: number for number, text in enumerate(dict.fromkeys(texts))}
        rows = np.arange(len(texts))
        numbers = np.array([number_of[text] for text in texts], np.int64)
        self.numbers = np.where(self.there, numbers, -1 - rows)
        self.captions = TokenisedCaptions(tokenizer, texts, max_tokens, fields)
        special = [*tokenizer.all_special_ids, tokenizer.pad_token_id]
        self._known_ids = np.setdiff1d(self.captions.distinct_ids(), special)
        self.words = len(self._known_ids)

    def words_of(self, rows: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Which of the words the captions of some rows have, bool [B, words]."""
        ids_BT = self.captions.batch(rows)[self.captions.fields[0]].numpy()
        places_BT = np.searchsorted(self._known_ids, ids_BT).clip(max=self.words - 1)
        known_BT = self._known_ids[places_BT] == ids_BT
        found_BV = np.zeros((len(rows), self.words), np.bool_)
        found_BV[np.nonzero(known_BT)[0], places_BT[known_BT]] = True
        return found_BV


class ClothingFields:
    """Persons, outfits, and the captions of each alone; see `T2iReidObjective` for the names.

    The caption that is drawn for a sample depends on seed, epoch and caption alone.

    Args:
        rows: of training, each with `person` and `outfit`.
        identity, clothing: captions of the rows.
        drawn_share: of the clothing captions.
        seed: of the run.

    Attributes:
        persons: int64 [rows], from 0 and contiguous.
    """

    images: Sequence[str] = ()

    def __init__(
        self,
        rows: pd.DataFrame,
        identity: CaptionsOfImages,
        clothing: CaptionsOfImages,
        drawn_share: float,
        seed: int,
    ) -> None:
        self.persons = np.unique(rows["person"].to_numpy(np.int64), return_inverse=True)[1]
        self.outfits = rows["outfit"].to_numpy(np.int64)
        self.identity, self.clothing = identity, clothing
        self.drawn_share, self.seed = drawn_share, seed

    def add_to(self, batch: Batch, samples: Samples) -> Batch:
        rows = samples.rows
        said_rows = np.array(
            [
                self._row_of_caption(row, samples.epoch, caption)
                for row, caption in zip(rows, samples.caption_ids, strict=True)
            ]
        )
        labels: dict[str, NDArray[Any]] = {
            "persons": self.persons[rows],
            "outfits": self.outfits[rows],
            "is_matched": said_rows == rows,
        }
        for captions in (self.identity, self.clothing):
            labels[f"{captions.kind}_texts"] = captions.numbers[rows]
            labels[f"{captions.kind}_there"] = captions.there[rows]
            labels[f"{captions.kind}_words"] = captions.words_of(rows)
        said = self.identity.captions.batch(rows) | self.clothing.captions.batch(said_rows)
        alpha = torch.full((len(rows),), reversal_strength(samples.epoch))
        return said | {k: torch.from_numpy(v) for k, v in labels.items()} | {"grl_alpha": alpha}

    def _row_of_caption(self, row: int, epoch: int, caption: int) -> int:
        """The row whose clothing caption is given to a sample: its own, or one of other clothes."""
        rng = np.random.default_rng([DRAW, self.seed, epoch, caption])
        if rng.random() >= self.drawn_share:
            return row
        other = int(rng.integers(len(self.outfits)))
        is_other = (
            self.outfits[other] != self.outfits[row]
            and self.clothing.numbers[other] != self.clothing.numbers[row]
            and self.clothing.there[other]
        )
        return other if is_other else row
