"""What a system adds to a batch: captions, masked words, masked images and their codes."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from ubg.data.batches.augment import Draws
from ubg.data.text.captions import TokenisedCaptions

Batch = dict[str, Tensor]


@dataclass(frozen=True)
class Samples:
    """The B samples of a batch, while it is put together.

    Attributes:
        epoch: counted from 0.
        rows: int64 [B], of the training table.
        image_ids: int64 [B].
        caption_ids: int64 [B], of the captions themselves, not their tokens.
        pixels: uint8 [B, H, W, 3], as packed.
        draws: how the images of the batch are augmented.
        room: for each name in `BatchFields.images` a float32 tensor [B, 3, H, W] to write to.
        write: writes the pixels, augmented by some draws and normalised, to such a tensor.
    """

    epoch: int
    rows: NDArray[np.int64]
    image_ids: NDArray[np.int64]
    caption_ids: NDArray[np.int64]
    pixels: NDArray[np.uint8]
    draws: Draws
    room: dict[str, Tensor]
    write: Callable[[Draws, Tensor], None]


class BatchFields(Protocol):
    """Some fields of every batch.

    Attributes:
        images: names of the fields that are images of the pack's size. The loader reuses buffers
            for them, since allocating a new tensor costs more than filling it.
    """

    images: Sequence[str]

    def add_to(self, batch: Batch, samples: Samples) -> Batch:
        """The fields for `samples`, beside those that `batch` has already."""


class CaptionFields:
    """The token ids of the samples' captions and their mask, long [B, T] each.

    Args:
        captions: of the training table, in its order.
    """

    images: Sequence[str] = ()

    def __init__(self, captions: TokenisedCaptions) -> None:
        self.captions = captions

    def add_to(self, batch: Batch, samples: Samples) -> Batch:
        return self.captions.batch(samples.rows)
