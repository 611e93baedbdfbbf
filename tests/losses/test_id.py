import math

import pytest
import torch

from ubg.losses import id_loss


def test_hand_computed_mean_of_both_sides():
    # p(true class) is 3/4 for the image and 9/10 for the text.
    images, texts = torch.tensor([[math.log(3), 0.0]]), torch.tensor([[0.0, math.log(9)]])
    loss = id_loss(images, texts.flip(1), torch.tensor([0]))
    assert loss.item() == pytest.approx((math.log(4 / 3) + math.log(10 / 9)) / 2, rel=1e-5)


def test_equals_naive_loop():
    generator = torch.Generator().manual_seed(0)
    images, texts = torch.randn(2, 4, 6, generator=generator)
    pids = [5, 0, 0, 3]
    total = 0.0
    for logits in (images, texts):
        for row, pid in zip(logits.tolist(), pids, strict=True):
            total -= row[pid] - math.log(sum(math.exp(logit) for logit in row))
    assert id_loss(images, texts, torch.tensor(pids)).item() == pytest.approx(total / 8, rel=1e-5)
