"""Which patches of an image are hidden, drawn per sample from (seed, epoch, image, caption)."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ubg.data.batches.splitmix import integer, start, uniform
from ubg.params import Generation
from ubg.runtime.compiled import cached_njit

OWN_STREAM = np.uint64(0x6D61736B)  # keeps these draws apart from those of the augmentation


class Masks(NamedTuple):
    """What a batch of B samples, N patches each in raster order, is shown.

    Attributes:
        masked_BN: bool; patches that the encoder does not see.
        revealed_BN: bool; the masked patches whose codes the decoder is told.
        text_hidden_B: bool; samples whose caption the branch does not see.
    """

    masked_BN: NDArray[np.bool_]
    revealed_BN: NDArray[np.bool_]
    text_hidden_B: NDArray[np.bool_]


def draw_masks(
    generation: Generation,
    grid: tuple[int, int],
    seed: int,
    epoch: int,
    image_ids: NDArray[np.int64],
    caption_ids: NDArray[np.int64],
) -> Masks:
    """Draw a mask ratio per sample and hide that share of its blocks of patches.

    With the cosine schedule the ratio is cos(pi u / 2), u uniform in [0, 1], clipped to
    `mask_ratio` (MaskGIT, arXiv 2202.04200, section 3.1). At least one block is hidden.

    Args:
        generation: ratios, schedule, block size, shares of revealed codes and hidden captions.
        grid: rows and columns of patches.
        seed: of the run.
        epoch: counted from 0.
        image_ids: int64 [B].
        caption_ids: int64 [B].
    """
    low, high = generation.mask_ratio
    return Masks(
        *_draw(
            np.uint64(seed) ^ OWN_STREAM,
            np.uint64(epoch),
            image_ids,
            caption_ids,
            grid[0],
            grid[1],
            float(low),
            float(high),
            generation.mask_schedule == "cosine",
            generation.block_size,
            float(generation.reveal),
            float(generation.text_dropout),
        )
    )


@cached_njit()
def _draw(
    seed: np.uint64,
    epoch: np.uint64,
    image_ids: NDArray[np.int64],
    caption_ids: NDArray[np.int64],
    rows: int,
    columns: int,
    low: float,
    high: float,
    cosine: bool,
    block: int,
    reveal: float,
    text_dropout: float,
) -> tuple[NDArray[np.bool_], NDArray[np.bool_], NDArray[np.bool_]]:
    batch = len(image_ids)
    masked_BN = np.zeros((batch, rows * columns), np.bool_)
    revealed_BN = np.zeros((batch, rows * columns), np.bool_)
    text_hidden_B = np.zeros(batch, np.bool_)
    block_columns = -(-columns // block)
    blocks = -(-rows // block) * block_columns
    for b in range(batch):
        state = start(seed, epoch, np.uint64(image_ids[b]), np.uint64(caption_ids[b]))
        state, u = uniform(state)
        ratio = min(max(np.cos(np.pi / 2 * u), low), high) if cosine else low + u * (high - low)
        order = np.arange(blocks)
        hidden = max(1, int(np.rint(ratio * blocks)))
        for i in range(hidden):
            state, other = integer(state, blocks - i)
            order[i], order[i + other] = order[i + other], order[i]
            top, left = order[i] // block_columns * block, order[i] % block_columns * block
            for row in range(top, min(top + block, rows)):
                for column in range(left, min(left + block, columns)):
                    masked_BN[b, row * columns + column] = True

        state, u = uniform(state)
        state, share = uniform(state)
        if u < reveal:
            masked = np.flatnonzero(masked_BN[b])
            for i in range(int(share * len(masked))):  # fewer than all: one is left to predict
                state, other = integer(state, len(masked) - i)
                masked[i], masked[i + other] = masked[i + other], masked[i]
                revealed_BN[b, masked[i]] = True

        state, u = uniform(state)
        text_hidden_B[b] = u < text_dropout
    return masked_BN, revealed_BN, text_hidden_B
