"""Which tokens of a caption are hidden for masked language modelling, and by what."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ubg.data.batches.fields import Batch, Samples
from ubg.data.batches.splitmix import integer, start, uniform
from ubg.runtime.compiled import cached_njit

IGNORED = -100
OWN_STREAM = np.uint64(0x6D6C6D)  # keeps these draws apart from those of the augmentation


@dataclass(frozen=True)
class CaptionMasking:
    """BERT's masking (arXiv 1810.04805, section 3.1), drawn from (seed, epoch, caption).

    Every token is selected for prediction with probability `ratio`, except the first, the final and
    padding. Of the selected tokens 80 % become the mask token, 10 % a random token, and 10 % stay.
    A caption without a selected token gets one, as in the code of IRRA.

    Attributes:
        ratio: share of the tokens that are selected.
        words: ids below it are tokens of text, all others are special tokens.
        mask_id: of the mask token.
        seed: of the run.
        seen_ids: int64 [S], ascending: the tokens to predict among; a label is an index into this
            list. None: the whole vocabulary; a label is a token id.
    """

    ratio: float
    words: int
    mask_id: int
    seed: int
    seen_ids: NDArray[np.int64] | None = None

    @property
    def guessed(self) -> int | None:
        """How many tokens there are to guess among, where not the whole vocabulary."""
        return None if self.seen_ids is None else len(self.seen_ids)

    def fields(
        self, epoch: int, caption_ids: NDArray[np.int64], tokens_BT: Tensor, mask_BT: Tensor
    ) -> dict[str, Tensor]:
        """The captions as the model is to see them, and what it is to guess.

        Args:
            epoch: counted from 0.
            caption_ids: int64 [B], which captions these are.
            tokens_BT: long, their token ids.
            mask_BT: long, 1 on tokens, 0 on padding.

        Returns:
            `mlm_ids`, long [B, T], and `mlm_labels`, long [B, T]: the label of the token that was
            there, IGNORED where none is to be guessed.
        """
        ids_BT, labels_BT = _mask(
            np.uint64(self.seed) ^ OWN_STREAM,
            np.uint64(epoch),
            caption_ids,
            tokens_BT.numpy(),
            mask_BT.numpy(),
            float(self.ratio),
            self.words,
            self.mask_id,
        )
        if self.seen_ids is not None:
            places_BT = np.searchsorted(self.seen_ids, labels_BT)
            labels_BT = np.where(labels_BT == IGNORED, IGNORED, places_BT)
        return {"mlm_ids": torch.from_numpy(ids_BT), "mlm_labels": torch.from_numpy(labels_BT)}


def caption_masking(
    tokenizer: Any, ratio: float, seed: int, seen_ids: NDArray[np.int64] | None = None
) -> CaptionMasking:
    """The masking for CLIP's tokenizer, whose special ids come last; the mask token's follows."""
    words = min(tokenizer.all_special_ids)
    assert words == len(tokenizer) - len(set(tokenizer.all_special_ids))
    return CaptionMasking(ratio, words, mask_id=len(tokenizer), seed=seed, seen_ids=seen_ids)


class MaskedWordFields:
    """The masked captions of a batch and what is to be guessed: `CaptionMasking.fields`.

    Args:
        masking: of the captions.
        caption_fields: names in the batch of their token ids and of their mask, which come first.
    """

    images: Sequence[str] = ()

    def __init__(self, masking: CaptionMasking, caption_fields: tuple[str, str]) -> None:
        self.masking = masking
        self.caption_fields = caption_fields

    def add_to(self, batch: Batch, samples: Samples) -> Batch:
        ids_BT, mask_BT = (batch[name] for name in self.caption_fields)
        return self.masking.fields(samples.epoch, samples.caption_ids, ids_BT, mask_BT)


@cached_njit()
def _mask(
    seed: np.uint64,
    epoch: np.uint64,
    caption_ids: NDArray[np.int64],
    tokens_BT: NDArray[np.int64],
    mask_BT: NDArray[np.int64],
    ratio: float,
    words: int,
    mask_id: int,
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    ids_BT = tokens_BT.copy()
    labels_BT = np.full(tokens_BT.shape, IGNORED, np.int64)
    for b in range(len(caption_ids)):
        state = start(seed, epoch, np.uint64(0), np.uint64(caption_ids[b]))
        candidates = np.flatnonzero((mask_BT[b] == 1) & (tokens_BT[b] < words))
        if len(candidates) == 0:
            continue
        state, always = integer(state, len(candidates))
        drawn = np.zeros(len(candidates), np.bool_)
        for i in range(len(candidates)):
            state, u = uniform(state)
            drawn[i] = u < ratio
        if not drawn.any():
            drawn[always] = True
        for t in candidates[drawn]:
            labels_BT[b, t] = tokens_BT[b, t]
            state, u = uniform(state)
            state, other = integer(state, words)
            if u < 0.8:
                ids_BT[b, t] = mask_id
            elif u < 0.9:
                ids_BT[b, t] = other
    return ids_BT, labels_BT
