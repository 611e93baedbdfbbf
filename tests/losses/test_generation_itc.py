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
