"""Communication between training processes: features with gradient, labels, means, results.

W processes with B / W samples each train like one process with B samples. Their gradients agree for
this reason: let x_w be the features that process w computes from its samples with its copy p_w of
the parameters, and L_w its loss. The backward pass of `gather_features` gives x_w the sum of its
gradients from all processes, so that calling backward on all of them gives p_w the gradient of
sum_v L_v. DistributedDataParallel averages over w, which yields the gradient of (1 / W) sum_v L_v
with respect to the parameters that all share. Every process has gathered the features of all B
samples, hence every L_v equals L, the loss of one process with B samples, and the gradient is that
of L. This holds for parameters before the gathering (a tower) and after it (a temperature).

Without an initialised process group everything here is the identity.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from itertools import chain, zip_longest
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch import distributed as dist

T = TypeVar("T")

PATIENCE = timedelta(minutes=10)  # after which a process gives up waiting for the others


@contextmanager
def process_group() -> Iterator[None]:
    """Join the processes that were launched together into a process group within the block.

    The backend is NCCL between GPUs, gloo on CPU. In a process that was started alone, nothing
    happens.
    """
    from accelerate import PartialState

    state = PartialState(cpu=not torch.accelerator.is_available(), timeout=PATIENCE)
    yield
    state.wait_for_everyone()
    state.destroy_process_group()


def world_size() -> int:
    """How many processes train together."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def rank() -> int:
    """Which of them this one is, from 0."""
    return dist.get_rank() if dist.is_available() and dist.is_initialized() else 0


def is_main() -> bool:
    """Whether this is the process that writes and reports."""
    return rank() == 0


def gather_features(features: Tensor) -> Tensor:
    """The rows of all processes in the order of their ranks, with gradient: see above.

    Args:
        features: [N, ..], with the same shape on every process.

    Returns:
        [W * N, ..], float32, the same on every process.
    """
    return features if world_size() == 1 else _gather_with_gradient(features.float())


def gather_labels(labels: Tensor) -> Tensor:
    """As `gather_features`, without gradient: identities, image ids."""
    return labels if world_size() == 1 else _gather(labels)


def mean_of_means(mean: Tensor, count: Tensor | int) -> Tensor:
    """The mean over the items of all processes, from the mean of each.

    Its gradient is that of one process, see the module.

    Args:
        mean: scalar, the mean over the items of this process; any number if it has none.
        count: number of items of this process; positive on at least one process.
    """
    if world_size() == 1:
        return mean
    count = torch.as_tensor(count, dtype=torch.float32, device=mean.device)
    counts_W = gather_labels(count.reshape(1))
    return (gather_features(mean.reshape(1)) * (counts_W / counts_W.sum())).sum()


def mean_over_processes(sum: Tensor, count: Tensor | int) -> Tensor:
    """The mean over the items of all processes, from the sum of each; its gradient is as above.

    Args:
        sum: scalar, over the items of this process.
        count: number of items of this process; if no process has any, the mean is 0.
    """
    total = gather_labels(torch.as_tensor(count, device=sum.device).reshape(1)).sum()
    return gather_features(sum.reshape(1)).sum() / total.clamp(min=1)


def own_rows(count: int, batch_size: int) -> NDArray[np.int64]:
    """Of `count` rows in batches of `batch_size`, those of every W-th batch, from this rank on."""
    rows = np.arange(count)
    return rows[rows // batch_size % world_size() == rank()]


def gather_batches(own: list[T]) -> list[T]:
    """The results of all batches in their order, where each process has those of every W-th."""
    if world_size() == 1:
        return own
    lists: list[Any] = [None] * world_size()
    dist.all_gather_object(lists, own)
    missing = object()
    rounds = zip_longest(*lists, fillvalue=missing)
    return [result for result in chain.from_iterable(rounds) if result is not missing]


def from_main(compute: Callable[[], T]) -> T:
    """`compute()`, called on the main process alone, on every process."""
    results: list[Any] = [compute() if is_main() else None]
    if world_size() > 1:
        dist.broadcast_object_list(results)
    return results[0]


class _Gather(torch.autograd.Function):
    """Forward: the rows of all processes. Backward: the summed gradient of this process's rows."""

    @staticmethod
    def forward(ctx: Any, rows: Tensor) -> Tensor:
        ctx.count = len(rows)
        return _gather(rows)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        gradient = gradients[0].clone(memory_format=torch.contiguous_format)
        dist.all_reduce(gradient)
        return gradient[rank() * ctx.count : (rank() + 1) * ctx.count]


@torch.compiler.disable  # a collective inside a compiled graph is not traced
def _gather_with_gradient(features: Tensor) -> Tensor:
    return _Gather.apply(features)


def _gather(rows: Tensor) -> Tensor:
    gathered = rows.new_empty(world_size() * len(rows), *rows.shape[1:])
    dist.all_gather_into_tensor(gathered, rows.contiguous())
    return gathered
