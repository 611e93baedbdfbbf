import math

import pytest
import torch

from ubg.losses import mlm_loss

LOGITS_PV = torch.tensor([[0.0, 0.0, 0.0], [math.log(2), math.log(3), math.log(5)]])
TARGETS_P = torch.tensor([1, 2])


def test_by_hand():
    # Chances 1/3 and 5/10 for the true tokens.
    expected = math.log(3) + math.log(2)
    assert mlm_loss(LOGITS_PV, TARGETS_P, "sum").item() == pytest.approx(expected)
    assert mlm_loss(LOGITS_PV, TARGETS_P).item() == pytest.approx(expected / 2)


def test_low_precision_is_computed_in_float32():
    logits_PV = torch.randn(40, 3000, generator=torch.Generator().manual_seed(0)).bfloat16()
    targets_P = torch.arange(40)
    assert mlm_loss(logits_PV, targets_P).dtype == torch.float32
    torch.testing.assert_close(
        mlm_loss(logits_PV, targets_P), mlm_loss(logits_PV.float(), targets_P)
    )


def test_nothing_scored_sums_to_zero():
    assert mlm_loss(LOGITS_PV[:0], TARGETS_P[:0], "sum").item() == 0
