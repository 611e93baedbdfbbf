"""k-means: by hand, and what it refuses."""

import pytest
import torch

from ubg.vqgan.model.kmeans import kmeans


@pytest.mark.parametrize("seed", range(5))
def test_kmeans_starts_empty_clusters_again_until_all_are_in_use(seed):
    groups = torch.tensor([[0.0, 0.0], [10.0, 0.0], [0.0, 10.0]])
    torch.manual_seed(seed)  # with equal points two centres often start in one group
    centres = kmeans(groups.repeat(20, 1), 3, iterations=30)
    assert sorted(centres.tolist()) == sorted(groups.tolist())


def test_kmeans_step_is_the_mean_of_each_centres_points():
    points = torch.randn(60, 3, generator=torch.Generator().manual_seed(1))
    torch.manual_seed(2)
    start = points[torch.randperm(60)[:4]]
    torch.manual_seed(2)
    centres = kmeans(points, 4, iterations=1)
    owners = [min(range(4), key=lambda k, p=p: float((p - start[k]).norm())) for p in points]
    for k in range(4):
        own = torch.stack([p for p, owner in zip(points, owners, strict=True) if owner == k])
        torch.testing.assert_close(centres[k], own.mean(0))


def test_kmeans_needs_a_point_for_each_centre():
    with pytest.raises(ValueError, match=r"3 points cannot fill 4 clusters"):
        kmeans(torch.zeros(3, 2), 4, iterations=1)
