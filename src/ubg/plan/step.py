"""One step of training as the loop takes it, to be counted and timed."""

import torch

from ubg.data.batches.fields import Batch
from ubg.plan.random_run import RandomSystem
from ubg.runtime.cpu_products import fast_products
from ubg.training.loop import weighted_sum
from ubg.training.optimiser import build_optimiser


class TrainingStep:
    """Losses, gradients, clipping and the optimiser's update, on one device.

    Checkpointed activations and compilation are left to the caller, who may want to count first.

    Args:
        system: its model is moved to `device`.
        device: where.
    """

    def __init__(self, system: RandomSystem, device: torch.device):
        preset = system.run.params.preset
        self.device = device
        self.model = system.task.model.to(device).train()
        self.loss_weights = system.task.loss_weights(preset.training.epochs)
        self.clip_norm = system.task.optimiser.clip_norm
        self.precision = preset.training.precision
        self.optimiser = build_optimiser(self.model, system.task.optimiser)

    def objective(self, batch: Batch) -> torch.Tensor:
        """The weighted sum of the losses, with what is kept for its gradient."""
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.precision == "bf16"):
            losses = self.model(batch)
        return weighted_sum(losses, self.loss_weights)

    def __call__(self, batch: Batch) -> None:
        """Take one step; `batch` is on the device."""
        with fast_products(self.precision):
            self.objective(batch).backward()
        if self.clip_norm is not None:
            torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.clip_norm)
        self.optimiser.step()
        self.optimiser.zero_grad()
