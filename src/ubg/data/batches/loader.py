"""Batches for training and evaluation, prepared ahead of the consumer in background threads.

Image tensors live in a small ring of buffers: **a batch's images are valid only until the next
batch is requested**. Copy them to keep them. With CUDA the buffers are pinned, and
`images.to(device,
non_blocking=True)` is safe: a buffer is refilled only when the work queued on the consumer's stream
by the time it asked for the next batch is done.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import Any, TypeVar

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from ubg.data.batches.augment import (
    Augmenter,
    Draws,
    augment_images,
    no_augmentation,
    normalisation_table,
)
from ubg.data.batches.fields import Batch, BatchFields, Samples
from ubg.data.batches.samplers import Sampler, batches_by_length
from ubg.data.images.image_pack import ImagePack
from ubg.data.images.normalisation import Normalisation
from ubg.data.text.captions import TokenisedCaptions

BATCHES_AHEAD = 2

T = TypeVar("T")


class TrainingLoader:
    """Augmented images with what a system adds to them, in the order of the sampler.

    Args:
        table: the training rows of the annotation table, one per caption.
        pack: holds the images of the table.
        sampler: over the rows of the table.
        fields: what the batches hold beside images and identities; each sees what those before it
            have added.
        augmenter: of the images.
        workers: threads that prepare batches; one keeps up with a training step on CPU.

    Raises:
        ValueError: an image of the table is not in the pack.
    """

    def __init__(
        self,
        table: pd.DataFrame,
        pack: ImagePack,
        sampler: Sampler,
        fields: Sequence[BatchFields],
        augmenter: Augmenter,
        workers: int = 1,
    ) -> None:
        assert len(table) == sampler.size
        self.pack = pack
        self.sampler = sampler
        self.fields = fields
        self.augmenter = augmenter
        self.workers = workers
        self.pids = np.unique(table["pid"].to_numpy(np.int64), return_inverse=True)[1]
        self._image_id_of_row = table["image_id"].to_numpy(np.int64)
        self._caption_id_of_row = table["caption_id"].to_numpy(np.int64)
        self._pack_row_of_row = pack.row_of(self._image_id_of_row)
        self._normalised_values = normalisation_table(augmenter.normalisation)
        self._images = ["images", *(name for field in fields for name in field.images)]
        self._ring = _Ring(sampler.batch_size, pack.height, pack.width, len(self._images))

    def __len__(self) -> int:
        """Batches of an epoch."""
        return self.sampler.steps

    def epoch(self, epoch: int, start_step: int = 0) -> Iterator[Batch]:
        """The batches of an epoch from `start_step` on, the same whatever came before.

        Yields:
            `images` float32 [B, 3, H, W], normalised; `pids` long [B], 0 to identities - 1 in the
            order of the table's identities; `image_ids` long [B]; and what `fields` add.
        """

        def prepare(rows: NDArray[np.int64], buffer: _Buffer) -> Batch:
            image_ids, caption_ids = self._image_id_of_row[rows], self._caption_id_of_row[rows]
            raw, *tensors = buffer.arrays(len(rows))
            room = dict(zip(self._images, tensors, strict=True))
            self.pack.read(self._pack_row_of_row[rows], raw)
            size = self.pack.height, self.pack.width
            draws = self.augmenter.draw(epoch, image_ids, caption_ids, size)

            def write(draws: Draws, images: torch.Tensor) -> None:
                augment_images(raw, draws, self._normalised_values, images.numpy())

            write(draws, room["images"])
            batch = {
                "images": room["images"],
                "pids": torch.from_numpy(self.pids[rows]),
                "image_ids": torch.from_numpy(image_ids),
            }
            samples = Samples(epoch, rows, image_ids, caption_ids, raw, draws, room, write)
            for field in self.fields:
                batch |= field.add_to(batch, samples)
            return batch

        batches = self.sampler.epoch(epoch, start_step)
        return _prefetch(batches, prepare, self._ring, self.workers)


def image_batches(
    pack: ImagePack,
    image_ids: NDArray[np.int64],
    normalisation: Normalisation,
    batch_size: int,
    workers: int = 1,
) -> Iterator[torch.Tensor]:
    """The images `image_ids` in their order, normalised, float32 [<= batch_size, 3, H, W].

    Raises:
        ValueError: an image is not in the pack.
    """
    values = normalisation_table(normalisation)
    pack_rows = pack.row_of(image_ids)

    def prepare(rows: NDArray[np.int64], buffer: _Buffer) -> torch.Tensor:
        raw, images = buffer.arrays(len(rows))
        pack.read(rows, raw)
        augment_images(raw, no_augmentation(len(rows)), values, images.numpy())
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
    """Room for one batch: its pixels as they are read, and each of its image tensors."""

    def __init__(self, batch_size: int, height: int, width: int, copies: int) -> None:
        self._raw = np.empty((batch_size, height, width, 3), np.uint8)
        self._images = torch.empty(
            (copies, batch_size, 3, height, width), pin_memory=torch.cuda.is_available()
        )
        self._last_use: torch.cuda.Event | None = None

    def arrays(self, size: int) -> tuple[Any, ...]:
        """Space for `size` images, raw and per tensor, once the GPU has read the old ones."""
        if self._last_use is not None:
            self._last_use.synchronize()
        return self._raw[:size], *(images[:size] for images in self._images)

    def mark_last_use(self) -> None:
        """Mark on the current CUDA stream that all work that reads the images has been queued."""
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
    prepare: Callable[[NDArray[np.int64], _Buffer], T],
    ring: _Ring,
    workers: int,
) -> Iterator[T]:
    """Run `prepare` on the tasks in background threads, `BATCHES_AHEAD` ahead of the consumer.

    An exception in `prepare` is raised in the consumer at the batch where it arose. The threads
    stop when the iteration ends, also if it is abandoned early.
    """
    waiting = iter(tasks)
    running: deque[tuple[_Buffer, Future[T]]] = deque()
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
