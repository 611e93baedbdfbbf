"""Where the branch starts: what suits the loss best for one who knows the frequencies alone."""

import numpy as np
import torch

from ubg.losses import generation_loss
from ubg.systems.phase4.text.task import smoothed

FREQUENCIES = np.array([[0.7, 0.2, 0.1]])


def test_without_smoothing_it_starts_at_the_frequencies():
    start = smoothed(np.log(FREQUENCIES), 0.0)
    torch.testing.assert_close(start, torch.log(torch.tensor(FREQUENCIES)).float())


def test_the_start_minimises_the_smoothed_loss():
    smoothing = 0.3
    start = smoothed(np.log(FREQUENCIES), smoothing)[0]
    torch.testing.assert_close(start.exp(), torch.tensor([0.59, 0.24, 0.17]))
    targets = torch.tensor([0] * 7 + [1] * 2 + [2])

    def loss(scores):
        return generation_loss(scores.expand(10, -1), targets, smoothing).item()

    assert all(loss(start) < loss(start + 0.1 * change) for change in torch.eye(3))
