"""Stand-ins for the data of a run: images, captions, tokenizers, codes out of nothing."""

from collections.abc import Sequence
from typing import Any, cast

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ubg.data.images.image_pack import ImagePack
from ubg.data.modalities.modalities import CHANNELS, Modalities

# CUHK-PEDES (arXiv 1702.05729): 23.5 words a caption, few under 15, the longest of 96.
MEAN_WORDS, FEWEST_WORDS, MOST_WORDS, TOKENS_PER_WORD = 23.5, 12, 96, 1.2
WORDS_SHAPE = 2.0  # of the gamma distribution of the words beyond the fewest
FEWEST_CAPTIONS = 4096  # so many hold every word of the largest vocabulary


def caption_lengths(captions: int, max_tokens: int, seed: int = 0) -> NDArray[np.int64]:
    """Random lengths of `captions` captions in tokens, int64 [B], first and final token included.

    Words are drawn so that mean and range are those of CUHK-PEDES.
    """
    rng = np.random.default_rng(seed)
    scale = (MEAN_WORDS - FEWEST_WORDS) / WORDS_SHAPE
    words = np.minimum(FEWEST_WORDS + rng.gamma(WORDS_SHAPE, scale, captions), MOST_WORDS)
    return np.minimum(np.rint(TOKENS_PER_WORD * words) + 2, max_tokens).astype(np.int64)


def random_table(batch_size: int, identities: int, max_tokens: int) -> pd.DataFrame:
    """Training annotations of so many identities, each caption with an image of its own.

    The first row has the longest caption of the first `batch_size` rows. Words are numbers, no two
    the same.
    """
    count = max(batch_size, identities, FEWEST_CAPTIONS)
    lengths = caption_lengths(count, max_tokens)
    longest = int(lengths[:batch_size].argmax())
    lengths[0], lengths[longest] = lengths[longest], lengths[0]
    ends = np.cumsum(lengths - 2)
    captions = [
        " ".join(map(str, range(end - length + 2, end)))
        for end, length in zip(ends, lengths, strict=True)
    ]
    rows = np.arange(count)
    return pd.DataFrame(
        {
            "split": "train",
            "pid": rows % identities,
            "image_id": rows,
            "caption_id": rows,
            "caption": captions,
        }
    )


def random_clothing(table: pd.DataFrame) -> pd.DataFrame:
    """Every identity in one outfit, and half of each caption said of either alone."""
    words = [caption.split() for caption in table["caption"]]
    return table[["split", "pid", "image_id"]].assign(
        person=table["pid"],
        outfit=table["pid"],
        identity_caption=[" ".join(said[: len(said) // 2]) for said in words],
        clothing_caption=[" ".join(said[len(said) // 2 :]) for said in words],
    )


class RandomTokenizer:
    """A tokenizer for the captions of `random_table`: a token a word, the first and the final one.

    Args:
        vocab_size: how many tokens there are, the last two of which begin and end a caption.
    """

    pad_token_id = 0
    unk_token_id = None

    def __init__(self, vocab_size: int) -> None:
        self.vocab_size = vocab_size
        self.all_special_ids = [vocab_size - 2, vocab_size - 1]

    def __len__(self) -> int:
        return self.vocab_size

    def __call__(self, texts: Sequence[str], **options: Any) -> dict[str, list[list[int]]]:
        first, last = self.all_special_ids
        words = self.vocab_size - 3
        return {
            "input_ids": [
                [first, *(1 + int(word) % words for word in text.split()), last] for text in texts
            ]
        }


class RandomPack:
    """The interface of `ImagePack` over noise."""

    fingerprint = "noise"

    def __init__(self, height: int, width: int) -> None:
        self.height, self.width = height, width

    def row_of(self, image_ids: NDArray[np.int64]) -> NDArray[np.int64]:
        """Every id is its own row."""
        return np.asarray(image_ids)

    def read(self, rows: NDArray[np.int64], out: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Fill `out`, uint8 [B, H, W, C]."""
        out[:] = np.random.default_rng(0).integers(0, 256, out.shape, np.uint8)
        return out


def random_modalities(identities: int, pack: RandomPack) -> Modalities:
    """An image of every modality for each person, and no queries."""
    images = pd.DataFrame(
        [("train", pid, modality) for modality in CHANNELS for pid in range(identities)],
        columns=["split", "pid", "modality"],
    )
    images["image_id"] = np.arange(len(images))
    packs = cast(dict[str, ImagePack], dict.fromkeys(CHANNELS, pack))
    return Modalities(images, pd.DataFrame(), packs, pack.fingerprint)


class RandomCodes:
    """The interface of `VqTokens` over random codes."""

    def __init__(self, codes: int, grid: tuple[int, int]):
        self.codes, self.grid = codes, grid

    def batch(
        self, image_ids_B: NDArray[np.int64], mirrored_B: NDArray[np.bool_]
    ) -> NDArray[np.int64]:
        """Codes, int64 [B, L]."""
        rng = np.random.default_rng(0)
        return rng.integers(0, self.codes, (len(image_ids_B), self.grid[0] * self.grid[1]))
