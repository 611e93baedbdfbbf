"""Batch norm over the batch of all processes."""

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from ubg.runtime.distributed import gather_features, world_size


class _GlobalBatchNorm(_BatchNorm):
    """Statistics of a batch of all processes together, on CPU as on GPU.

    `torch.nn.SyncBatchNorm` has them on GPUs alone. Legend: C channels, W processes, S the two
    statistics.
    """

    def _is_global(self) -> bool:
        """Whether the statistics of a batch are to be asked of other processes as well."""
        return world_size() > 1 and self.training

    def _statistics(self, input: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and variance of [B, C, ..] over all processes, [C] each; the running ones learn.

        B is the same on every process.
        """
        others = [dim for dim in range(input.dim()) if dim != 1]
        own_1SC = torch.stack(torch.var_mean(input.float(), others, correction=0))[None]
        var_WC, mean_WC = gather_features(own_1SC).unbind(1)
        mean_C = mean_WC.mean(0)
        var_C = (var_WC + (mean_WC - mean_C).square()).mean(0)
        if self.track_running_stats:
            self._learn(mean_C.detach(), var_C.detach(), world_size() * input.numel())
        return mean_C, var_C

    def _learn(self, mean_C: Tensor, var_C: Tensor, numbers: int) -> None:
        """Move the running statistics as one process would, the variance unbiased."""
        assert self.running_mean is not None
        assert self.running_var is not None
        assert self.num_batches_tracked is not None
        assert self.momentum is not None
        count = numbers // self.num_features
        self.num_batches_tracked += 1
        self.running_mean.lerp_(mean_C, self.momentum)
        self.running_var.lerp_(var_C * (count / (count - 1)), self.momentum)


class GlobalBatchNorm2d(_GlobalBatchNorm, nn.BatchNorm2d):
    """`BatchNorm2d` whose batch is that of all processes together."""

    def forward(self, input: Tensor) -> Tensor:
        """Normalise [B, C, H, W], B the same on every process."""
        if not self._is_global():
            return super().forward(input)
        mean_C, var_C = self._statistics(input)
        scale_C = self.weight * (var_C + self.eps).rsqrt()
        shift_C = self.bias - mean_C * scale_C
        return (input * scale_C[:, None, None] + shift_C[:, None, None]).to(input.dtype)


class FeatureNorm(_GlobalBatchNorm, nn.BatchNorm1d):
    """`BatchNorm1d` of pooled features over all processes, without scale and shift of its own.

    Features of a network from nothing differ little between samples: they are normalised in
    float32, whatever the precision of the network.
    """

    def __init__(self, width: int):
        super().__init__(width, affine=False)

    def forward(self, input: Tensor) -> Tensor:
        """Normalise [B, C] to float32, B the same on every process."""
        input = input.float()
        if not self._is_global():
            return super().forward(input)
        mean_C, var_C = self._statistics(input)
        return (input - mean_C) * (var_C + self.eps).rsqrt()
