"""The terms of the VQGAN's objective, pure functions (Esser et al. 2021, equations 2 to 7)."""

import torch
from torch import Tensor
from torch.nn import functional


def pixel_loss(reconstruction: Tensor, images: Tensor) -> Tensor:
    """Mean absolute plus mean squared difference, scalar: sharp edges and true colours."""
    difference = reconstruction - images
    return difference.abs().mean() + difference.square().mean()


def codebook_loss(latents: Tensor, codes: Tensor, commitment: float) -> Tensor:
    """Codes pulled to the latents, and latents to their codes with weight `commitment`, scalar.

    Args:
        latents: what was quantised, any shape.
        codes: the nearest codes, in the same shape.
        commitment: beta of van den Oord et al. 2017, equation 3.
    """
    to_latents = functional.mse_loss(codes, latents.detach())
    to_codes = functional.mse_loss(latents, codes.detach())
    return to_latents + commitment * to_codes


def straight_through(latents: Tensor, codes: Tensor) -> Tensor:
    """The values of `codes` with the gradient going to `latents`."""
    return latents + (codes - latents).detach()


def hinge_discriminator_loss(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """Half the mean hinge of real logits below 1 and of fake ones above -1, scalar."""
    return (functional.relu(1 - real_logits).mean() + functional.relu(1 + fake_logits).mean()) / 2


def adaptive_weight(reconstruction_loss: Tensor, generator_loss: Tensor, last: Tensor) -> Tensor:
    """How much the adversarial term counts: scalar without gradient (equation 7).

    The ratio of the two gradients' norms at the decoder's last weights, at most 1e4.

    Args:
        reconstruction_loss: pixel and perceptual terms.
        generator_loss: the adversarial term.
        last: weights of the decoder's last layer.
    """
    (by_pixels,) = torch.autograd.grad(reconstruction_loss, last, retain_graph=True)
    (by_adversary,) = torch.autograd.grad(generator_loss, last, retain_graph=True)
    return (by_pixels.norm() / (by_adversary.norm() + 1e-4)).clamp(max=1e4).detach()
