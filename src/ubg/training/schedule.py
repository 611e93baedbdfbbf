"""The learning rate over a run."""

import math


def lr_factor(
    step: int, total_steps: int, warmup_steps: int, warmup_factor: float, final_factor: float
) -> float:
    """What the base learning rate is multiplied by: linear warm-up, then half a cosine.

    Args:
        step: optimiser step about to be taken, from 0.
        total_steps: optimiser steps of the whole run.
        warmup_steps: steps from `warmup_factor` up to 1.
        warmup_factor: factor of the first step where there is a warm-up.
        final_factor: factor that the cosine ends at.
    """
    if step < warmup_steps:
        return warmup_factor + (1 - warmup_factor) * step / warmup_steps
    progress = (step - warmup_steps) / max(1, total_steps - warmup_steps)
    return final_factor + (1 - final_factor) * 0.5 * (1 + math.cos(math.pi * progress))
