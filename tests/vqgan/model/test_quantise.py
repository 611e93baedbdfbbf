"""The nearest code by one product is the one a plain loop finds."""

import pytest
import torch
from taming.modules.vqvae.quantize import VectorQuantizer

from ubg.vqgan.model.quantise import nearest_codes


def by_loop(latents, codebook):
    """The nearest code of each latent in float64; the lowest id of equals."""
    ids = []
    for latent in latents.double():
        distances = [float((latent - code).square().sum()) for code in codebook.double()]
        ids.append(distances.index(min(distances)))
    return torch.tensor(ids)


@pytest.mark.parametrize(("count", "codes", "dim"), [(1, 2, 1), (40, 33, 7), (64, 256, 32)])
def test_equals_a_loop_over_distances(count, codes, dim):
    generator = torch.Generator().manual_seed(codes)
    latents = torch.randn(count, dim, generator=generator)
    codebook = torch.randn(codes, dim, generator=generator)
    ids = nearest_codes(latents, codebook)
    assert ids.dtype == torch.int64
    assert ids.tolist() == by_loop(latents, codebook).tolist()


def test_equals_the_quantiser_of_taming():
    generator = torch.Generator().manual_seed(5)
    quantiser = VectorQuantizer(64, 16, beta=0.25)
    quantiser.embedding.weight.data = torch.randn(64, 16, generator=generator)
    latents_BDhw = torch.randn(3, 16, 5, 4, generator=generator)
    _, _, (_, _, expected) = quantiser(latents_BDhw)
    flat = latents_BDhw.permute(0, 2, 3, 1).reshape(-1, 16)
    assert nearest_codes(flat, quantiser.embedding.weight).tolist() == expected[:, 0].tolist()


def test_a_tie_goes_to_the_lowest_id():
    codebook = torch.tensor([[5.0, 5.0], [1.0, 0.0], [-1.0, 0.0], [1.0, 0.0]])
    latents = torch.tensor([[0.0, 3.0], [1.0, 0.0], [-2.0, 0.0]])
    assert nearest_codes(latents, codebook).tolist() == [1, 1, 2]
