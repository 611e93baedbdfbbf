"""Batches of the shapes that training has, out of nothing."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ubg.data.augment import hide_patches
from ubg.data.mlm import CaptionMasking
from ubg.generation.targets import GenerationTargets
from ubg.params import Scale

# CUHK-PEDES (arXiv 1702.05729): 23.5 words a caption, few under 15, the longest of 96.
MEAN_WORDS, FEWEST_WORDS, MOST_WORDS, TOKENS_PER_WORD = 23.5, 12, 96, 1.2
WORDS_SHAPE = 2.0  # of the gamma distribution of the words beyond the fewest

Batch = dict[str, Tensor]


def caption_lengths(captions: int, max_tokens: int, seed: int = 0) -> NDArray[np.int64]:
    """Tokens of so many captions, int64 [B], first and final token included.

    Words are drawn so that mean and range are those of CUHK-PEDES.
    """
    rng = np.random.default_rng(seed)
    scale = (MEAN_WORDS - FEWEST_WORDS) / WORDS_SHAPE
    words = np.minimum(FEWEST_WORDS + rng.gamma(WORDS_SHAPE, scale, captions), MOST_WORDS)
    return np.minimum(np.rint(TOKENS_PER_WORD * words) + 2, max_tokens).astype(np.int64)


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


def random_batch(
    params: Scale,
    size: int,
    fields: tuple[str, str],
    vocab_size: int,
    identities: int,
    masked_words: bool = False,
    targets: GenerationTargets | None = None,
    padded_to: int | None = None,
) -> Batch:
    """What `TrainingLoader` yields, with noise for images and words.

    Args:
        params: size of the images, most tokens of a caption, share of masked words.
        size: samples.
        fields: names of the captions' ids and mask.
        vocab_size: tokens that the tokenizer knows.
        identities: `pids` are below it.
        masked_words: with `mlm_ids` and `mlm_labels`.
        targets: of phase 4; with its fields.
        padded_to: tokens of the longest caption; None for the longest that is drawn.
    """
    generator = torch.Generator().manual_seed(0)
    lengths_B = torch.from_numpy(caption_lengths(size, params.tokenizer.max_tokens))
    if padded_to is not None:
        lengths_B[0] = padded_to
        lengths_B.clamp_(max=padded_to)
    mask_BT = (torch.arange(int(lengths_B.max())) < lengths_B[:, None]).long()
    words_BT = torch.randint(3, vocab_size - 3, mask_BT.shape, generator=generator)
    height, width = params.image.height, params.image.width
    ids = np.arange(size)
    batch = {
        "images": torch.randn(size, 3, height, width, generator=generator),
        "pids": torch.randint(identities, (size,), generator=generator),
        "image_ids": torch.from_numpy(ids),
        fields[0]: words_BT * mask_BT,
        fields[1]: mask_BT,
    }
    if masked_words:
        masking = CaptionMasking(params.irra.mask_ratio, vocab_size - 2, vocab_size, seed=0)
        batch |= masking.fields(0, ids, batch[fields[0]], mask_BT)
    if targets is not None:
        batch |= targets.fields(0, ids, ids, np.zeros(size, np.bool_))
        masked = batch["images"].clone()
        hide_patches(masked.numpy(), batch["masked_patches"].numpy(), *targets.patch_grid)
        batch["masked_images"] = masked
    return batch
