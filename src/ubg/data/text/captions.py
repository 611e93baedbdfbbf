"""Captions tokenised once, kept as one flat array, and padded batch by batch."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ubg.data.text.normalise import normalise_caption
from ubg.data.text.tokenizers import token_ids

TOKENISE_AT_ONCE = 10_000

# Names in a batch of the token ids and of the attention mask, by tokenizer.
T5_FIELDS = ("caption_ids_t5", "caption_attn_mask_t5")
CLIP_FIELDS = ("caption_ids", "caption_attn_mask")
BERT_FIELDS = ("caption_ids_bert", "caption_attn_mask_bert")


class TokenisedCaptions:
    """The token ids of N captions, for one tokenizer.

    Args:
        tokenizer: a transformers tokenizer.
        captions: N texts, as written; they go through `normalise_caption`.
        max_tokens: longer captions are cut to this many tokens, the last of which stays the final
            token of the caption (`</s>` of T5, EOT of CLIP).
        fields: names in the batch of the ids and of the attention mask.

    Attributes:
        lengths: int64 [N], in tokens, after truncation.
        truncated: how many captions were cut.
    """

    def __init__(
        self,
        tokenizer: Any,
        captions: Sequence[str],
        max_tokens: int,
        fields: tuple[str, str] = T5_FIELDS,
    ) -> None:
        self.fields = fields
        self.truncated = 0
        ids_by_caption = []
        for start in range(0, len(captions), TOKENISE_AT_ONCE):
            texts = [normalise_caption(text) for text in captions[start : start + TOKENISE_AT_ONCE]]
            for ids in token_ids(tokenizer, texts):
                if len(ids) > max_tokens:
                    self.truncated += 1
                    ids = [*ids[: max_tokens - 1], ids[-1]]
                ids_by_caption.append(np.asarray(ids, np.int64))
        self.lengths = np.array([len(ids) for ids in ids_by_caption], np.int64)
        self._offsets = np.concatenate(([0], np.cumsum(self.lengths)[:-1])).astype(np.int64)
        self._pad_id = tokenizer.pad_token_id
        self._ids = np.concatenate([*ids_by_caption, [self._pad_id]]).astype(np.int32)

    def __len__(self) -> int:
        return len(self.lengths)

    def distinct_ids(self) -> NDArray[np.int64]:
        """The token ids that occur, ascending; that of padding among them."""
        return np.unique(self._ids).astype(np.int64)

    def share_of(self, token_id: int | None) -> float:
        """Share of a token among all but the final ones; 0 where there is no such token."""
        inner = np.delete(self._ids[:-1], self._offsets + self.lengths - 1)
        return float(np.mean(inner == token_id)) if token_id is not None and len(inner) else 0.0

    def batch(self, rows: NDArray[np.int64]) -> dict[str, torch.Tensor]:
        """The captions of `rows`, padded to the longest of them.

        Args:
            rows: int64 [B], positions in `captions`.

        Returns:
            Ids, long [B, T], and attention mask, long [B, T] (1 on tokens, 0 on padding), under the
            names `fields`.
        """
        lengths_B1 = self.lengths[rows][:, None]
        position_T = np.arange(lengths_B1.max(initial=0))
        mask_BT = position_T < lengths_B1
        # The last flat entry is padding.
        source_BT = np.where(mask_BT, self._offsets[rows][:, None] + position_T, len(self._ids) - 1)
        ids_BT = self._ids[source_BT].astype(np.int64)
        tensors = torch.from_numpy(ids_BT), torch.from_numpy(mask_BT.astype(np.int64))
        return dict(zip(self.fields, tensors, strict=True))
