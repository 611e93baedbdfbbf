import math

import pytest
import torch

from ubg.losses import itc_loss


def test_hand_computed_pair():
    # Logits (ln 3, 0) where the first is the match: -ln(3/4) in each of the four rows.
    features = torch.eye(2)
    loss = itc_loss(5 * features, features, math.log(3))
    assert loss.item() == pytest.approx(math.log(4 / 3), rel=1e-5)


def test_equals_naive_loop():
    generator = torch.Generator().manual_seed(0)
    images, texts = torch.randn(2, 5, 7, generator=generator)
    total = 0.0
    for rows, columns in ((images, texts), (texts, images)):
        for i, row in enumerate(rows):
            logits = [10 * torch.cosine_similarity(row, c, dim=0).item() for c in columns]
            total -= logits[i] - math.log(sum(math.exp(logit) for logit in logits))
    loss = itc_loss(images, texts, torch.tensor(10.0))
    assert loss.item() == pytest.approx(total / 10, rel=1e-5)


def test_unpaired_sides_are_refused():
    with pytest.raises(ValueError, match="batch"):
        itc_loss(torch.ones(2, 4), torch.ones(3, 4), 1.0)


def test_float32_under_autocast():
    generator = torch.Generator().manual_seed(2)
    images, texts = torch.randn(2, 8, 64, generator=generator)
    expected = itc_loss(images, texts, 50.0)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(itc_loss(images, texts, 50.0), expected)
