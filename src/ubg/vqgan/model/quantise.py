"""Nearest codes of a codebook."""

import torch
from torch import Tensor


def nearest_codes(latents_ND: Tensor, codebook_KD: Tensor) -> Tensor:
    """Ids, long [N], of the codes nearest to the latents in Euclidean distance.

    The square of a latent's own norm is the same for every code and left out, so that
    |e|^2 - 2 z.e takes one `addmm`. Of equally near codes the lowest id is taken.

    Args:
        latents_ND: float [N, D].
        codebook_KD: float [K, D].
    """
    square_norms_K = codebook_KD.square().sum(1)
    distances_NK = torch.addmm(square_norms_K, latents_ND, codebook_KD.T, alpha=-2)
    return distances_NK.argmin(1)
