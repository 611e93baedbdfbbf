"""Which samples make up a batch. A sample is one row of the annotation table, one caption."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray


class RandomSampler:
    """Every caption once per epoch, in an order that depends on seed and epoch alone.

    An epoch is one pass over the captions, each with its image, as in IRRA. The samples that do
    not fill a last batch on every process are left out of that epoch: a contrastive loss is as good
    as its negatives, and processes must take equally many steps.

    Args:
        size: number of samples.
        batch_size: samples per step and process.
        seed: of the order.
        rank, world_size: this process and how many there are; step by step, they split what one
            process with `batch_size * world_size` would take.

    Raises:
        ValueError: there are fewer samples than one step needs.
    """

    def __init__(
        self, size: int, batch_size: int, seed: int, rank: int = 0, world_size: int = 1
    ) -> None:
        assert 0 <= rank < world_size
        self.size = size
        self.batch_size = batch_size
        self.seed = seed
        self.rank = rank
        self.world_size = world_size
        if self.steps == 0:
            raise ValueError(
                f"training.batch_size: {batch_size} on {world_size} process(es) is more than the "
                f"{size} training captions; make it smaller"
            )

    @property
    def steps(self) -> int:
        """Batches of an epoch, on each process."""
        return self.size // (self.batch_size * self.world_size)

    def epoch(self, epoch: int, start_step: int = 0) -> Iterator[NDArray[np.int64]]:
        """The batches of an epoch from `start_step` on, each int64 [batch_size], table rows."""
        order = np.random.default_rng([self.seed, epoch]).permutation(self.size)
        for step in range(start_step, self.steps):
            first = (step * self.world_size + self.rank) * self.batch_size
            yield order[first : first + self.batch_size]


def batches_by_length(lengths: NDArray[np.int64], batch_size: int) -> Iterator[NDArray[np.int64]]:
    """All samples, shortest first, so that a batch needs little padding; the last may be smaller.

    Args:
        lengths: int64 [N], in tokens.
        batch_size: of every batch but the last.

    Yields:
        int64 [batch_size], positions in `lengths`; equal lengths keep their order.
    """
    order = np.argsort(lengths, kind="stable")
    for first in range(0, len(order), batch_size):
        yield order[first : first + batch_size]
