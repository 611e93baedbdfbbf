"""Which samples make up a batch. A sample is one row of the annotation table, one caption."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ubg.params import Training

if TYPE_CHECKING:
    import pandas as pd


class Share(NamedTuple):
    """Which process this is, and how many there are that share every batch."""

    rank: int
    world_size: int


WHOLE = Share(0, 1)


class Sampler(ABC):
    """Batches of table rows, the same for the same seed and epoch.

    Attributes:
        size: number of samples.
        batch_size: samples per step and process.
        steps: batches of an epoch, on each process.
    """

    size: int
    batch_size: int

    @property
    @abstractmethod
    def steps(self) -> int: ...

    @abstractmethod
    def epoch(self, epoch: int, start_step: int = 0) -> Iterator[NDArray[np.int64]]:
        """The batches of an epoch from `start_step` on, each int64 [batch_size], table rows."""


class RandomSampler(Sampler):
    """Every caption once per epoch, in an order that depends on seed and epoch alone.

    An epoch is one pass over the captions, each with its image, as in IRRA. Samples left over after
    the last full batch of all processes are dropped from that epoch: a contrastive loss needs its
    full number of negatives, and all processes must take the same number of steps.

    Args:
        size: number of samples.
        batch_size: samples per step and process.
        seed: of the order.
        share: step by step, the processes split what one process with a batch size of
            `batch_size * world_size` would take.

    Raises:
        ValueError: there are fewer samples than one step needs.
    """

    def __init__(self, size: int, batch_size: int, seed: int, share: Share = WHOLE) -> None:
        rank, world_size = share
        assert 0 <= rank < world_size
        self.size = size
        self.batch_size = batch_size
        self.seed = seed
        self.rank = rank
        self.world_size = world_size
        if self.steps == 0:
            raise ValueError(
                f"training.batch_size: {batch_size * world_size} is more than the {size} training "
                "captions; make it smaller"
            )

    @property
    def steps(self) -> int:
        return self.size // (self.batch_size * self.world_size)

    def epoch(self, epoch: int, start_step: int = 0) -> Iterator[NDArray[np.int64]]:
        order = np.random.default_rng([self.seed, epoch]).permutation(self.size)
        for step in range(start_step, self.steps):
            first = (step * self.world_size + self.rank) * self.batch_size
            yield order[first : first + self.batch_size]


class IdentitySampler(Sampler):
    """Every identity once per epoch, with K of its images and one caption of each.

    An identity with fewer than K images repeats them, with other captions as long as there are any.
    If the last batch is not full, it is filled up with identities from the start of the epoch; no
    batch has an identity twice.

    Args:
        pids: [N], identity of each sample.
        image_ids: [N], image of each sample.
        batch_size: samples per step and process, a multiple of `images_per_identity`.
        images_per_identity: K.
        seed: of all draws.
        share: as for `RandomSampler`.

    Raises:
        ValueError: there are fewer identities than one step needs.
    """

    def __init__(
        self,
        pids: NDArray[np.int64],
        image_ids: NDArray[np.int64],
        batch_size: int,
        images_per_identity: int,
        seed: int,
        share: Share = WHOLE,
    ) -> None:
        rank, world_size = share
        assert len(pids) == len(image_ids)
        assert batch_size % images_per_identity == 0
        assert 0 <= rank < world_size
        self.size = len(pids)
        self.batch_size = batch_size
        self.seed = seed
        self.rank = rank
        self.world_size = world_size
        self._images_per_identity = images_per_identity
        self._identities_per_step = batch_size // images_per_identity * world_size
        order = np.lexsort((image_ids, pids))
        self._captions_of_images = [
            _runs(rows, image_ids[rows]) for rows in _runs(order, pids[order])
        ]
        if len(self._captions_of_images) < self._identities_per_step:
            raise ValueError(
                f"training.batch_size: {batch_size * world_size} needs "
                f"{self._identities_per_step} identities of {images_per_identity} images, there "
                f"are {len(self._captions_of_images)}; make it smaller"
            )

    @property
    def steps(self) -> int:
        return -(-len(self._captions_of_images) // self._identities_per_step)

    def epoch(self, epoch: int, start_step: int = 0) -> Iterator[NDArray[np.int64]]:
        count, own = len(self._captions_of_images), self._identities_per_step // self.world_size
        order = np.random.default_rng([self.seed, epoch]).permutation(count)
        for step in range(start_step, self.steps):
            first = step * self._identities_per_step + self.rank * own
            chosen = order[np.arange(first, first + own) % count]
            yield np.concatenate([self._draw(epoch, identity) for identity in chosen])

    def _draw(self, epoch: int, identity: int) -> NDArray[np.int64]:
        """K rows of an identity; an image, or a caption of it, repeats only after all were used."""
        images = self._captions_of_images[identity]
        rng = np.random.default_rng([self.seed, epoch, identity])
        shuffled = [rng.permutation(images[i]) for i in rng.permutation(len(images))]
        rows = []
        for k in range(self._images_per_identity):
            captions = shuffled[k % len(shuffled)]
            rows.append(captions[k // len(shuffled) % len(captions)])
        return np.array(rows, np.int64)


def make_sampler(
    rows: "pd.DataFrame", training: Training, seed: int, share: Share = WHOLE
) -> Sampler:
    """This process's share of every batch.

    Args:
        rows: of the training split, one per caption.
        training: the size of a batch, and how it is drawn.
        seed: of all draws.
        share: of this process.

    Raises:
        ValueError: the batches cannot be shared, or there are too few samples for one.
    """
    multiple = share.world_size * samples_drawn_together(training)
    if training.batch_size % multiple:
        raise ValueError(
            f"training.batch_size: {training.batch_size} cannot be shared by {share.world_size} "
            f"processes; make it a multiple of {multiple}, or change launcher.processes"
        )
    own_size = training.batch_size // share.world_size
    if training.sampler == "random":
        return RandomSampler(len(rows), own_size, seed, share)
    pids, image_ids = rows["pid"].to_numpy(), rows["image_id"].to_numpy()
    return IdentitySampler(pids, image_ids, own_size, training.images_per_identity, seed, share)


def _runs(rows: NDArray[np.int64], keys: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    """`rows` cut where their sorted `keys` change."""
    return np.split(rows, np.flatnonzero(np.diff(keys)) + 1)


def batches_by_length(lengths: NDArray[np.int64], batch_size: int) -> Iterator[NDArray[np.int64]]:
    """All samples, shortest first, in batches with little padding and about equal cost.

    With the same number of samples in each batch, the batch of the longest samples would take
    several times the memory of the others and, on CPU, no longer fit into the caches.

    Args:
        lengths: int64 [N], in tokens.
        batch_size: sets the token budget of a batch, padding included: `batch_size` samples of
            average length. A single sample may exceed it.

    Yields:
        int64 [B], positions in `lengths`; equal lengths keep their order.
    """
    order = np.argsort(lengths, kind="stable")
    while len(order):
        padded = lengths[order] * np.arange(1, len(order) + 1)  # tokens of a batch that ends here
        size = np.searchsorted(padded * len(lengths), batch_size * lengths.sum(), side="right")
        batch, order = np.split(order, [max(1, int(size))])
        yield batch


def samples_drawn_together(training: Training) -> int:
    """How many samples of a batch are drawn as one: those of an identity, or one."""
    return training.images_per_identity if training.sampler == "identity" else 1
