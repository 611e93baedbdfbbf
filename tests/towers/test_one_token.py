"""The last layer for one token: as if all tokens had gone through it."""

import pytest
import sections
import torch
from tiny_models import VOCABULARY, tiny_scale

from ubg.systems.irra.model import last_token
from ubg.towers.clip_text import clip_text
from ubg.towers.vision import clip_vision


@pytest.fixture(params=["eager", "sdpa"])
def attention(request):
    return request.param


@torch.inference_mode()
def test_class_token_equals_the_first_of_all_tokens(attention):
    torch.manual_seed(0)
    vision = clip_vision(
        tiny_scale().towers.clip, sections.image(height=64, width=32), attention, projection_dim=16
    ).eval()
    images = torch.randn(3, 3, 64, 32)
    expected = vision.projected_tokens(images)[:, 0]
    torch.testing.assert_close(vision.projected_class_token(images), expected, rtol=0, atol=1e-6)


@torch.inference_mode()
def test_final_token_equals_the_last_of_all_tokens(attention):
    torch.manual_seed(0)
    text = clip_text(tiny_scale().towers.clip_text, 16, max_tokens=12, attention=attention).eval()
    mask = (torch.arange(12) < torch.tensor([12, 3, 7, 2])[:, None]).long()
    ids = torch.randint(3, VOCABULARY, mask.shape)
    expected = last_token(text(ids, mask), mask)
    torch.testing.assert_close(text.final_token(ids, mask), expected, rtol=0, atol=1e-6)
    other = torch.where(mask == 1, ids, 5)
    assert torch.equal(text.final_token(other, mask), text.final_token(ids, mask))
