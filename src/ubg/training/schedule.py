"""The learning rate over a run."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ubg.params import Optimiser


@dataclass(frozen=True)
class Schedule:
    """What the base learning rate is multiplied by: linear warm-up, then `schedule`.

    With p from 0 to 1 after the warm-up, the schedules fall from 1 to `final_factor` by
    (1 + cos(pi p)) / 2 ("cosine"), 1 - p ("linear") or (1 - p)^power ("poly"), by gamma^p to
    `gamma` ("exp"), or by a factor of `gamma` at each milestone ("step").

    Attributes:
        total_steps: optimiser steps of the whole run.
        warmup_steps: steps from `warmup_factor` up to 1.
        warmup_factor: factor of the first step where there is a warm-up.
        final_factor: where "cosine", "linear" and "poly" end.
        schedule: one of the above.
        milestones: steps from which on "step" is lower.
        gamma: of "step" and "exp".
        power: of "poly".
    """

    total_steps: int
    warmup_steps: int
    warmup_factor: float
    final_factor: float
    schedule: str = "cosine"
    milestones: Sequence[int] = ()
    gamma: float = 0.1
    power: float = 1.0

    @classmethod
    def of(cls, params: "Optimiser", epochs: int, steps_per_epoch: int) -> "Schedule":
        """The schedule of a run whose warm-up and milestones are given in epochs."""
        return cls(
            total_steps=epochs * steps_per_epoch,
            warmup_steps=round(params.warmup_epochs * steps_per_epoch),
            warmup_factor=params.warmup_factor,
            final_factor=params.final_factor,
            schedule=params.schedule,
            milestones=[round(epoch * steps_per_epoch) for epoch in params.milestones],
            gamma=params.gamma,
            power=params.power,
        )

    def factor(self, step: int) -> float:
        """The factor of an optimiser step that is about to be taken, counted from 0."""
        if step < self.warmup_steps:
            return self.warmup_factor + (1 - self.warmup_factor) * step / self.warmup_steps
        if self.schedule == "step":
            return self.gamma ** sum(step >= milestone for milestone in self.milestones)
        progress = (step - self.warmup_steps) / max(1, self.total_steps - self.warmup_steps)
        if self.schedule == "exp":
            return self.gamma**progress
        if self.schedule == "cosine":
            remaining = 0.5 * (1 + math.cos(math.pi * progress))
        else:
            remaining = (1 - progress) ** (self.power if self.schedule == "poly" else 1.0)
        return self.final_factor + (1 - self.final_factor) * remaining
