"""Batches for training and evaluation, prepared ahead of the consumer in background threads.

Image tensors live in a small ring of buffers: **a batch's images hold until the next batch is asked
for**. Copy them to keep them. With CUDA the buffers are pinned, and `images.to(device,
non_blocking=True)` is safe: a buffer is refilled only when the work queued on the consumer's stream
by the time it asked for the next batch is done.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from ubg.data.augment import (
    Draws,
    augment_images,
    draw_augmentation,
    flip_alone,
    hide_patches,
    no_augmentation,
    normalisation_table,
)
from ubg.data.captions import TokenisedCaptions
from ubg.data.image_pack import ImagePack
from ubg.data.samplers import Sampler, batches_by_length
from ubg.params import Augmentation

if TYPE_CHECKING:
    from ubg.data.mlm import CaptionMasking
    from ubg.generation.targets import GenerationTargets

BATCHES_AHEAD = 2

Batch = TypeVar("Batch")


class TrainingLoader:
    """Augmented images and padded captions, in the order of the sampler.

    Args:
        table: the training rows of the annotation table, one per caption.
        pack: holds the images of the table.
        captions: the captions of the table, in its order.
        sampler: over the rows of the table.
        augmentation: of the images.
        mean, std: normalisation of the tower in use, three numbers each, for values in [0, 1].
        seed: of the augmentation.
        generation: where the model also predicts the codes of masked images.
        masking: where it also guesses masked words.
        workers: threads that prepare batches; one keeps up with a training step on CPU.

    Raises:
        ValueError: an image of the table is not in the pack.
    """

    def __init__(
        self,
        table: pd.DataFrame,
        pack: ImagePack,
        captions: TokenisedCaptions,
        sampler: Sampler,
        augmentation: Augmentation,
        mean: Sequence[float],
        std: Sequence[float],
        seed: int,
        generation: "GenerationTargets | None" = None,
        workers: int = 1,
        masking: "CaptionMasking | None" = None,
    ) -> None:
        assert len(table) == len(captions) == sampler.size
        self.pack = pack
        self.captions = captions
        self.sampler = sampler
        self.augmentation = augmentation
        self.seed = seed
        self.generation = generation
        self.masking = masking
        self.workers = workers
        self.image_ids = table["image_id"].to_numpy(np.int64)
        self.caption_ids = table["caption_id"].to_numpy(np.int64)
        self.pids = np.unique(table["pid"].to_numpy(np.int64), return_inverse=True)[1]
        self._pack_rows = pack.row_of(self.image_ids)
        self._table = normalisation_table(mean, std)
        copies = 1 if generation is None else 2
        self._ring = _Ring(sampler.batch_size, pack.height, pack.width, copies)

    def __len__(self) -> int:
        """Batches of an epoch."""
        return self.sampler.steps

    def epoch(self, epoch: int, start_step: int = 0) -> Iterator[dict[str, torch.Tensor]]:
        """The batches of an epoch from `start_step` on, the same whatever came before.

        Yields:
            `images` float32 [B, 3, H, W], normalised; `pids` long [B], 0 to identities - 1 in the
            order of the table's identities; `image_ids` long [B]; ids and mask of the captions,
            long [B, T]. With generation also `masked_images` float32 [B, 3, H, W] and the fields of
            `GenerationTargets.fields`; with masking those of `CaptionMasking.fields`.
        """

        def prepare(rows: NDArray[np.int64], buffer: _Buffer) -> dict[str, torch.Tensor]:
            image_ids = self.image_ids[rows]
            raw, images, *masked = buffer.arrays(len(rows))
            self.pack.read(self._pack_rows[rows], raw)
            draws = draw_augmentation(
                self.augmentation,
                self.seed,
                epoch,
                image_ids,
                self.caption_ids[rows],
                self.pack.height,
                self.pack.width,
            )
            augment_images(raw, draws, self._table, images.numpy())
            return {
                "images": images,
                "pids": torch.from_numpy(self.pids[rows]),
                "image_ids": torch.from_numpy(image_ids),
                **self._texts(epoch, rows),
                **self._masked(epoch, rows, raw, draws, *masked),
            }

        batches = self.sampler.epoch(epoch, start_step)
        return _prefetch(batches, prepare, self._ring, self.workers)

    def _texts(self, epoch: int, rows: NDArray[np.int64]) -> dict[str, torch.Tensor]:
        texts = self.captions.batch(rows)
        if self.masking is None:
            return texts
        ids_BT, mask_BT = (texts[name] for name in self.captions.fields)
        return texts | self.masking.fields(epoch, self.caption_ids[rows], ids_BT, mask_BT)

    def _masked(
        self,
        epoch: int,
        rows: NDArray[np.int64],
        raw: NDArray[np.uint8],
        draws: Draws,
        *masked: torch.Tensor,
    ) -> dict[str, torch.Tensor]:
        """The masked images and their fields, where the loader is to have them."""
        if self.generation is None:
            return {}
        (images,) = masked
        fields = self.generation.fields(
            epoch, self.image_ids[rows], self.caption_ids[rows], draws.geometry_B7[:, 0] == 1
        )
        # Mirrored like the other image, but neither cropped nor erased: the codes are of the whole.
        augment_images(raw, flip_alone(draws), self._table, images.numpy())
        hide_patches(images.numpy(), fields["masked_patches"].numpy(), *self.generation.patch_grid)
        return {"masked_images": images, **fields}


def image_batches(
    pack: ImagePack,
    image_ids: NDArray[np.int64],
    mean: Sequence[float],
    std: Sequence[float],
    batch_size: int,
    workers: int = 1,
) -> Iterator[torch.Tensor]:
    """The images `image_ids` in their order, normalised, float32 [<= batch_size, 3, H, W].

    Raises:
        ValueError: an image is not in the pack.
    """
    table = normalisation_table(mean, std)
    pack_rows = pack.row_of(image_ids)

    def prepare(rows: NDArray[np.int64], buffer: _Buffer) -> torch.Tensor:
        raw, images = buffer.arrays(len(rows))
        pack.read(rows, raw)
        augment_images(raw, no_augmentation(len(rows)), table, images.numpy())
        return images

    batches = (pack_rows[i : i + batch_size] for i in range(0, len(pack_rows), batch_size))
    return _prefetch(batches, prepare, _Ring(batch_size, pack.height, pack.width), workers)


def caption_batches(
    captions: TokenisedCaptions, batch_size: int
) -> Iterator[tuple[NDArray[np.int64], dict[str, torch.Tensor]]]:
    """All captions by length: their positions, int64 [B], ids and mask; see `batches_by_length`."""
    for rows in batches_by_length(captions.lengths, batch_size):
        yield rows, captions.batch(rows)


class _Buffer:
    """Room for one batch, as it is read and as it is handed out, in one version or more."""

    def __init__(self, batch_size: int, height: int, width: int, copies: int) -> None:
        self._raw = np.empty((batch_size, height, width, 3), np.uint8)
        self._images = torch.empty(
            (copies, batch_size, 3, height, width), pin_memory=torch.cuda.is_available()
        )
        self._last_use: torch.cuda.Event | None = None

    def arrays(self, size: int) -> tuple[Any, ...]:
        """Room for `size` images, raw and in each version, once the GPU has read what was there."""
        if self._last_use is not None:
            self._last_use.synchronize()
        return self._raw[:size], *(images[:size] for images in self._images)

    def mark_last_use(self) -> None:
        """Whatever reads the images has been queued on the current CUDA stream."""
        if self._images.is_pinned():
            self._last_use = torch.cuda.Event()
            self._last_use.record()


class _Ring:
    """Buffers to use again: a fresh one costs more than what is written into it."""

    def __init__(self, batch_size: int, height: int, width: int, copies: int = 1) -> None:
        self._shape = (batch_size, height, width, copies)
        self._free: deque[_Buffer] = deque()

    def take(self) -> _Buffer:
        return self._free.popleft() if self._free else _Buffer(*self._shape)

    def give_back(self, buffer: _Buffer) -> None:
        buffer.mark_last_use()
        self._free.append(buffer)


def _prefetch(
    tasks: Iterable[NDArray[np.int64]],
    prepare: Callable[[NDArray[np.int64], _Buffer], Batch],
    ring: _Ring,
    workers: int,
) -> Iterator[Batch]:
    """`prepare` run in threads on one task after the other, `BATCHES_AHEAD` of them ahead.

    An exception in `prepare` is raised in the consumer at the batch where it arose. The threads end
    with the iteration, also when it is left early.
    """
    waiting = iter(tasks)
    running: deque[tuple[_Buffer, Future[Batch]]] = deque()
    threads = ThreadPoolExecutor(workers, thread_name_prefix="loader")

    def start(count: int) -> None:
        for task in islice(waiting, count):
            buffer = ring.take()
            running.append((buffer, threads.submit(prepare, task, buffer)))

    try:
        start(1 + BATCHES_AHEAD)
        while running:
            yield running[0][1].result()
            ring.give_back(running.popleft()[0])
            start(1)
    finally:
        threads.shutdown(cancel_futures=True)
        for buffer, _ in running:
            ring.give_back(buffer)
