"""Cross-entropy of VQ codes by hand."""

import math

import pytest
import torch

from ubg.losses import generation_loss
from ubg.losses.generation import IGNORED

# Probabilities 1/2, 1/4, 1/4 and 1/3 each.
LOGITS = torch.tensor([[math.log(2), 0.0, 0.0], [0.0, 0.0, 0.0]])


def test_mean_cross_entropy_by_hand():
    loss = generation_loss(LOGITS, torch.tensor([0, 2]))
    assert loss.item() == pytest.approx((math.log(2) + math.log(3)) / 2)


def test_smoothed_labels_by_hand():
    loss = generation_loss(LOGITS, torch.tensor([1, 2]), label_smoothing=0.3)
    first = 0.8 * math.log(4) + 0.1 * math.log(2) + 0.1 * math.log(4)
    assert loss.item() == pytest.approx((first + math.log(3)) / 2)


@pytest.mark.parametrize("label_smoothing", [0.0, 0.3])
def test_ignored_positions_count_neither_above_nor_below_the_line(label_smoothing):
    noise = torch.cat([LOGITS, torch.tensor([[1e4, -1e4, 3.0]])]).requires_grad_()
    ids = torch.tensor([1, 2, IGNORED])
    loss = generation_loss(noise, ids, label_smoothing)
    assert loss.item() == pytest.approx(generation_loss(LOGITS, ids[:2], label_smoothing).item())
    loss.backward()
    assert not noise.grad[2].any()
    assert noise.grad[:2].any()


def test_low_precision_scores_are_summed_in_float32():
    loss = generation_loss(LOGITS.bfloat16(), torch.tensor([0, 2]))
    assert loss.dtype == torch.float32
    assert loss.item() == pytest.approx((math.log(2) + math.log(3)) / 2, abs=1e-2)
