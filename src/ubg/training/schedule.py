"""The learning rate over a run."""

import math
from collections.abc import Sequence


def lr_factor(
    step: int,
    total_steps: int,
    warmup_steps: int,
    warmup_factor: float,
    final_factor: float,
    schedule: str = "cosine",
    milestones: Sequence[int] = (),
    gamma: float = 0.1,
    power: float = 1.0,
) -> float:
    """What the base learning rate is multiplied by: linear warm-up, then `schedule`.

    With p from 0 to 1 after the warm-up, the schedules fall from 1 to `final_factor` by
    (1 + cos(pi p)) / 2 ("cosine"), 1 - p ("linear") or (1 - p)^power ("poly"), by gamma^p to
    `gamma` ("exp"), or by a factor of `gamma` at each milestone ("step").

    Args:
        step: optimiser step about to be taken, from 0.
        total_steps: optimiser steps of the whole run.
        warmup_steps: steps from `warmup_factor` up to 1.
        warmup_factor: factor of the first step where there is a warm-up.
        final_factor: where "cosine", "linear" and "poly" end.
        schedule: one of the above.
        milestones: steps from which on "step" is lower.
        gamma: of "step" and "exp".
        power: of "poly".
    """
    if step < warmup_steps:
        return warmup_factor + (1 - warmup_factor) * step / warmup_steps
    if schedule == "step":
        return gamma ** sum(step >= milestone for milestone in milestones)
    progress = (step - warmup_steps) / max(1, total_steps - warmup_steps)
    if schedule == "exp":
        return gamma**progress
    if schedule == "cosine":
        remaining = 0.5 * (1 + math.cos(math.pi * progress))
    else:
        remaining = (1 - progress) ** (power if schedule == "poly" else 1.0)
    return final_factor + (1 - final_factor) * remaining
