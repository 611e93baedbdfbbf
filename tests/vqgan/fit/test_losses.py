"""Each term against numbers worked out by hand."""

import math

import pytest
import sections
import torch

from ubg.vqgan.fit.adversary import Adversary
from ubg.vqgan.fit.losses import (
    adaptive_weight,
    codebook_loss,
    hinge_discriminator_loss,
    pixel_loss,
    straight_through,
)


def test_pixel_loss_adds_absolute_and_squared_means():
    # Differences 0.5 and -1: means 0.75 and 0.625.
    loss = pixel_loss(torch.tensor([0.5, -1.0]), torch.tensor([0.0, 0.0]))
    assert loss.item() == pytest.approx(0.75 + 0.625)


def test_codebook_loss_pulls_both_sides_by_their_weights():
    latents = torch.tensor([1.0, 2.0], requires_grad=True)
    codes = torch.tensor([0.0, 4.0], requires_grad=True)
    loss = codebook_loss(latents, codes, commitment=0.25)
    loss.backward()
    # Squares 1 and 4: mean 2.5. Gradients are 2 (a - b) / 2.
    assert loss.item() == pytest.approx(2.5 * 1.25)
    assert codes.grad.tolist() == pytest.approx([-1.0, 2.0])
    assert latents.grad.tolist() == pytest.approx([0.25, -0.5])


def test_straight_through_has_the_values_of_the_codes_and_the_gradient_of_the_latents():
    latents = torch.tensor([1.0, 2.0], requires_grad=True)
    codes = torch.tensor([0.5, 4.0], requires_grad=True)
    passed = straight_through(latents, codes)
    (passed * torch.tensor([3.0, -1.0])).sum().backward()
    assert passed.tolist() == [0.5, 4.0]
    assert latents.grad.tolist() == [3.0, -1.0]
    assert codes.grad is None


def test_hinge_loss():
    # Real 2 and 0 cost 0 and 1; fake -3 and 1 cost 0 and 2.
    loss = hinge_discriminator_loss(torch.tensor([2.0, 0.0]), torch.tensor([-3.0, 1.0]))
    assert loss.item() == pytest.approx((0.5 + 1.0) / 2)


def test_adaptive_weight_is_the_ratio_of_the_gradients_norms():
    last = torch.tensor([1.0, 1.0], requires_grad=True)
    weight = adaptive_weight((last * torch.tensor([3.0, 4.0])).sum(), (2 * last).sum(), last)
    assert weight.item() == pytest.approx(5 / (math.sqrt(8) + 1e-4))
    assert not weight.requires_grad
    assert adaptive_weight(1e9 * last.sum(), 0 * last.sum(), last).item() == 1e4


def test_one_backward_pass_gives_each_side_of_the_adversary_its_own_gradient():
    torch.manual_seed(0)
    params = sections.vqgan_discriminator(weight=0.5, start_step=0, channels=8, layers=2)
    adversary = Adversary(params)
    images = torch.rand(2, 3, 32, 32) * 2 - 1
    last = torch.full((3, 1, 1), 0.5, requires_grad=True)
    reconstruction = images * last
    pixels = pixel_loss(reconstruction, images)
    adversary(reconstruction, images, pixels, last).backward()
    of_discriminator = [weight.grad.clone() for weight in adversary.discriminator.parameters()]
    of_last, last.grad = last.grad.clone(), None

    generator_loss = -adversary.discriminator(images * last).mean()
    factor = 0.5 * adaptive_weight(pixel_loss(images * last, images), generator_loss, last)
    (expected_last,) = torch.autograd.grad(factor * generator_loss, last)
    fake = adversary.discriminator((images * last).detach())
    expected = torch.autograd.grad(
        hinge_discriminator_loss(adversary.discriminator(images), fake),
        list(adversary.discriminator.parameters()),
    )
    torch.testing.assert_close(of_last, expected_last)
    for found, wanted in zip(of_discriminator, expected, strict=True):
        torch.testing.assert_close(found, wanted)
