"""Contrast by likelihood: by hand, and what it does not depend on."""

import math

import pytest
import torch

from ubg.losses import generation_itc_loss

EVIDENCE = torch.tensor([[2.0, 0.0], [1.0, 3.0]])


def test_by_hand():
    # Rows: differences of 2 and 2; columns: of 1 and 3; all halved by the scale.
    text_to_image = (math.log1p(math.exp(-1.0)) + math.log1p(math.exp(-1.0))) / 2
    image_to_text = (math.log1p(math.exp(-0.5)) + math.log1p(math.exp(-1.5))) / 2
    found = generation_itc_loss(EVIDENCE, 0.5)
    assert found.item() == pytest.approx((text_to_image + image_to_text) / 2)


def test_captions_that_say_the_same_of_all_images_cost_the_logarithm_of_the_batch():
    assert generation_itc_loss(torch.full((5, 5), 3.0), 0.3).item() == pytest.approx(math.log(5))


def test_it_is_computed_in_float32():
    assert generation_itc_loss(EVIDENCE.bfloat16(), 0.5).dtype == torch.float32


def test_images_of_one_person_by_hand():
    """Samples 0 and 1 are of one person: half of each label is the other's."""
    evidence = torch.tensor([[2.0, 1.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 3.0]])
    pids = torch.tensor([7, 7, 4])
    text_to_image = [
        math.log(math.exp(2) + math.exp(1) + 1) - (2 + 1) / 2,
        math.log(1 + math.exp(1) + 1) - (0 + 1) / 2,
        math.log(1 + 1 + math.exp(3)) - 3,
    ]
    image_to_text = [
        math.log(math.exp(2) + 1 + 1) - (2 + 0) / 2,
        math.log(math.exp(1) + math.exp(1) + 1) - (1 + 1) / 2,
        math.log(1 + 1 + math.exp(3)) - 3,
    ]
    found = generation_itc_loss(evidence, 1.0, pids)
    assert found.item() == pytest.approx((sum(text_to_image) + sum(image_to_text)) / 6)


def test_where_no_person_comes_twice_their_images_are_the_only_ones():
    evidence = torch.randn(5, 5, generator=torch.Generator().manual_seed(0))
    expected = generation_itc_loss(evidence, 0.5)
    torch.testing.assert_close(generation_itc_loss(evidence, 0.5, torch.arange(5)), expected)


def test_a_perfect_contrast_of_persons_costs_the_logarithm_of_their_images():
    pids = torch.tensor([0, 1, 0, 1])
    evidence = 1e4 * (pids[:, None] == pids[None, :])
    assert generation_itc_loss(evidence, 1.0, pids).item() == pytest.approx(math.log(2))
