"""Lloyd's algorithm, for a codebook to start from and for classes of its codes."""

import torch
from torch import Tensor

from ubg.vqgan.model.quantise import nearest_codes


def kmeans(points_ND: Tensor, clusters: int, iterations: int) -> Tensor:
    """Centres [K, D] of the points, from torch's global random state.

    A cluster left empty starts again at a random point, so that all centres are in use.

    Raises:
        ValueError: there are fewer points than clusters.
    """
    count = len(points_ND)
    if count < clusters:
        raise ValueError(
            f"{count} points cannot fill {clusters} clusters; lower vqgan.fit.codes or "
            "generation.clusters, or add training images"
        )
    centres_KD = points_ND[torch.randperm(count)[:clusters].to(points_ND.device)]
    for _ in range(iterations):
        ids_N = nearest_codes(points_ND, centres_KD)
        sizes_K = torch.bincount(ids_N, minlength=clusters)
        sums_KD = torch.zeros_like(centres_KD).index_add_(0, ids_N, points_ND)
        random_KD = points_ND[torch.randint(count, (clusters,)).to(points_ND.device)]
        centres_KD = torch.where(
            (sizes_K > 0)[:, None], sums_KD / sizes_K.clamp(min=1)[:, None], random_KD
        )
    return centres_KD
