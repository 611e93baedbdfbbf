import math

import pytest
import torch

from ubg.losses import cmpm_loss

EPSILON = 1e-8


def naive_cmpm(images, texts, image_pids, text_pids):
    def one_direction(rows, columns, row_pids, column_pids):
        total = 0.0
        for row, row_pid in zip(rows, row_pids, strict=True):
            lengths = [math.sqrt(sum(x * x for x in column)) for column in columns]
            projections = [
                sum(x * y for x, y in zip(row, column, strict=True)) / length
                for column, length in zip(columns, lengths, strict=True)
            ]
            matches = [float(row_pid == pid) for pid in column_pids]
            normaliser = sum(math.exp(projection) for projection in projections)
            for projection, match in zip(projections, matches, strict=True):
                p = math.exp(projection) / normaliser
                total += p * math.log(p / (match / sum(matches) + EPSILON))
        return total / len(rows)

    return one_direction(images, texts, image_pids, text_pids) + one_direction(
        texts, images, text_pids, image_pids
    )


def test_hand_computed_pair():
    # Only the other side is normalised: image logits (ln 3, 0), text logits (ln 9, 0).
    images, texts = math.log(3) * torch.eye(2), math.log(9) * torch.eye(2)
    image_row = 0.75 * math.log(0.75 / (1 + EPSILON)) + 0.25 * math.log(0.25 / EPSILON)
    text_row = 0.9 * math.log(0.9 / (1 + EPSILON)) + 0.1 * math.log(0.1 / EPSILON)
    loss = cmpm_loss(images, texts, torch.tensor([3, 8]))
    assert loss.item() == pytest.approx(image_row + text_row, rel=1e-5)


def test_labels_of_one_identity_sum_to_one():
    # p = q = (1/2, 1/2) in every row, so that nothing is left.
    features = torch.tensor([[1.0, 0.0], [1.0, 0.0]])
    assert cmpm_loss(features, features, torch.tensor([3, 3])).item() == pytest.approx(0, abs=1e-6)


def test_equals_naive_loop():
    generator = torch.Generator().manual_seed(0)
    images, texts = torch.randn(2, 6, 5, generator=generator) * 2
    pids = [7, 7, 7, 2, 2, 5]
    loss = cmpm_loss(images, texts, torch.tensor(pids))
    expected = naive_cmpm(images.tolist(), texts.tolist(), pids, pids)
    assert loss.item() == pytest.approx(expected, rel=1e-5)


def test_non_square_equals_naive_loop():
    generator = torch.Generator().manual_seed(1)
    images, texts = torch.randn(8, 5, generator=generator).split([3, 5])
    pids, text_pids = [0, 1, 1], [0, 1, 1, 0, 1]
    loss = cmpm_loss(images, texts, torch.tensor(pids), text_pids=torch.tensor(text_pids))
    expected = naive_cmpm(images.tolist(), texts.tolist(), pids, text_pids)
    assert loss.item() == pytest.approx(expected, rel=1e-5)


def test_float32_under_autocast():
    generator = torch.Generator().manual_seed(2)
    images, texts = torch.randn(2, 8, 64, generator=generator)
    expected = cmpm_loss(images, texts, torch.arange(8))
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(cmpm_loss(images, texts, torch.arange(8)), expected)
