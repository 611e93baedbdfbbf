"""Batch norm of features: torch's own, in float32; over two processes in tests/runtime."""

import pytest
import torch
from torch import nn

from ubg.towers.batch_norm import FeatureNorm, GlobalBatchNorm2d


def features(rows=8, width=5, dtype=torch.float32):
    generator = torch.Generator().manual_seed(0)
    return (3 + 0.1 * torch.randn(rows, width, generator=generator)).to(dtype)


def test_by_hand():
    norm = FeatureNorm(2)
    found = norm(torch.tensor([[1.0, 5.0], [3.0, 5.0]]))
    # The deviation of 1 and 3 is 1; a channel that does not vary is left at zero.
    torch.testing.assert_close(found, torch.tensor([[-1.0, 0.0], [1.0, 0.0]]), atol=1e-4, rtol=0)
    # A tenth of the way from (0, 1) to the mean and the unbiased variance.
    torch.testing.assert_close(norm.running_mean, torch.tensor([0.2, 0.5]))
    torch.testing.assert_close(norm.running_var, torch.tensor([0.9 + 0.2, 0.9]))
    assert list(norm.parameters()) == []


def test_it_is_torchs_batch_norm():
    norm, theirs = FeatureNorm(5), nn.BatchNorm1d(5, affine=False)
    for _ in range(3):
        assert torch.equal(norm(features()), theirs(features()))
    found, expected = norm.state_dict(), theirs.state_dict()
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[name], expected[name]) for name in expected)
    other = features(3)
    assert torch.equal(norm.eval()(other), theirs.eval()(other))


def test_in_evaluation_a_feature_does_not_depend_on_its_batch():
    norm = FeatureNorm(5)
    norm(features())
    mean, var = norm.running_mean.clone(), norm.running_var.clone()
    assert norm.eval().num_batches_tracked == 1
    together = norm(features(3))
    assert torch.equal(norm(features(3)[:1]), together[:1])
    torch.testing.assert_close(together, (features(3) - mean) / (var + norm.eps).sqrt())
    assert torch.equal(norm.running_mean, mean)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
def test_in_float32_whatever_the_precision_of_the_network(dtype):
    own = features(dtype=dtype)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = FeatureNorm(5)(own)
    assert found.dtype == torch.float32
    assert torch.equal(found, FeatureNorm(5)(own.float()))


def test_of_images_it_is_torchs_in_one_process():
    images = torch.randn(4, 3, 6, 5, generator=torch.Generator().manual_seed(0))
    norm, theirs = GlobalBatchNorm2d(3), nn.BatchNorm2d(3)
    assert torch.equal(norm(images), theirs(images))
    assert torch.equal(norm.running_var, theirs.running_var)
    assert torch.equal(norm.eval()(images), theirs.eval()(images))
