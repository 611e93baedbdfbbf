"""Batch norm over the batch of all processes."""

import torch
from torch import Tensor, nn

from ubg.runtime.distributed import gather_features, world_size


class GlobalBatchNorm2d(nn.BatchNorm2d):
    """`BatchNorm2d` whose batch is that of all processes together, on CPU as on GPU.

    `torch.nn.SyncBatchNorm` does the same on GPUs alone.
    """

    def forward(self, input: Tensor) -> Tensor:
        """Normalise [B, C, H, W], B the same on every process."""
        if world_size() == 1 or not self.training:
            return super().forward(input)
        own_1SC = torch.stack(torch.var_mean(input.float(), (0, 2, 3), correction=0))[None]
        var_WC, mean_WC = gather_features(own_1SC).unbind(1)
        mean_C = mean_WC.mean(0)
        var_C = (var_WC + (mean_WC - mean_C).square()).mean(0)
        if self.track_running_stats:
            self._learn(mean_C.detach(), var_C.detach(), world_size() * input.numel())
        scale_C = self.weight * (var_C + self.eps).rsqrt()
        shift_C = self.bias - mean_C * scale_C
        return (input * scale_C[:, None, None] + shift_C[:, None, None]).to(input.dtype)

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
