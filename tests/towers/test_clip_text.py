"""CLIP's text tower and its projections: the library's own features, at any length."""

import pytest
import sections
import torch
from tiny_checkpoints import WORDS, captions, transformers_clip
from torch.nn import functional as F

from ubg.towers.clip_text import clip_text, resize_text_positions
from ubg.towers.vision import clip_vision

SIZES = sections.clip_text_tower(width=32, layers=2, heads=2, mlp_width=48, vocab_size=WORDS)
VISION_SIZES = sections.vision_tower(width=32, layers=2, heads=2, mlp_width=48, patch_size=8)


@pytest.fixture
def published(tmp_path):
    return transformers_clip(tmp_path), sections.clip_text_tower(
        pretrained=str(tmp_path), vocab_size=WORDS
    )


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
def test_projected_eot_equals_the_librarys_text_feature(published, attention):
    model, params = published
    ids, mask = captions(9, 5, 77)
    tower = clip_text(params, 16, 77, attention).eval()
    tokens = tower(ids, mask)
    assert tower.width == 16
    assert tokens.shape == (3, 77, 16)
    expected = model.get_text_features(input_ids=ids, attention_mask=mask).pooler_output
    torch.testing.assert_close(tokens[range(3), mask.sum(1) - 1], expected, atol=1e-5, rtol=0)
    # Every token is normalised and projected, as the library does with its last one.
    hidden = model.text_model(input_ids=ids, attention_mask=mask).last_hidden_state
    torch.testing.assert_close(tokens, model.text_projection(hidden), atol=1e-5, rtol=0)


def test_projected_class_token_equals_the_librarys_image_feature(published):
    model, text = published
    params = sections.vision_tower(pretrained=text.pretrained, patch_size=8)
    images = torch.randn(2, 3, 32, 32)
    tower = clip_vision(
        params, sections.image(height=32, width=32), "sdpa", projection_dim=16
    ).eval()
    tokens = tower.projected_tokens(images)
    expected = model.get_image_features(pixel_values=images).pooler_output
    torch.testing.assert_close(tokens[:, 0], expected, atol=1e-5, rtol=0)
    hidden = model.vision_model(pixel_values=images).last_hidden_state
    every = model.visual_projection(model.vision_model.post_layernorm(hidden))
    torch.testing.assert_close(tokens, every, atol=1e-5, rtol=0)


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
def test_no_token_sees_those_behind_it_nor_padding(attention):
    tower = clip_text(SIZES, 16, 12, attention).eval()
    ids, mask = captions(6, 11)
    tokens = tower(ids, mask)
    torch.testing.assert_close(tower(ids[:1, :6], mask[:1, :6])[0], tokens[0, :6])
    torch.testing.assert_close(tower(ids[1:, :4], mask[1:, :4])[0], tokens[1, :4])


def test_published_positions_are_resized_to_the_length(published):
    model, params = published
    tower = clip_text(params, 16, 40, "sdpa").eval()
    learned = model.text_model.embeddings.position_embedding.weight
    resized = F.interpolate(learned.T[None], size=40, mode="linear")[0].T
    torch.testing.assert_close(tower.transformer.embeddings.position_embedding.weight, resized)
    ids, mask = captions(40, 12)
    assert tower(ids, mask).shape == (2, 40, 16)


def test_text_positions_of_a_ramp_stay_a_ramp():
    ramp = torch.arange(4.0)[:, None]
    assert resize_text_positions(ramp, 8).flatten().tolist() == [
        0,
        0.25,
        0.75,
        1.25,
        1.75,
        2.25,
        2.75,
        3,
    ]
    assert resize_text_positions(ramp, 4) is ramp


def test_saved_configs_rebuild_the_towers(published):
    _, params = published
    tower = clip_text(params, 16, 40, "sdpa").eval()
    again = clip_text(params, 16, 40, "sdpa", tower.transformer.config.to_dict()).eval()
    again.load_state_dict(tower.state_dict())
    ids, mask = captions(9, 40)
    assert torch.equal(tower(ids, mask), again(ids, mask))

    image, vision = (
        sections.image(height=32, width=16),
        sections.vision_tower(pretrained=params.pretrained, patch_size=8),
    )
    tower = clip_vision(vision, image, "sdpa", projection_dim=16).eval()
    config = tower.transformer.config.to_dict()
    again = clip_vision(vision, image, "sdpa", config, projection_dim=16).eval()
    again.load_state_dict(tower.state_dict())
    images = torch.randn(2, 3, 32, 16)
    assert torch.equal(tower.projected_tokens(images), again.projected_tokens(images))


def test_towers_from_sizes_project_at_random():
    tower = clip_text(SIZES, 16, 12, "sdpa")
    assert tower.width == 16
    assert not tower.pretrained
    assert float(tower.projection.weight.detach().std()) == pytest.approx(32**-0.5, rel=0.2)
    vision = clip_vision(
        VISION_SIZES, sections.image(height=32, width=16), "sdpa", projection_dim=24
    )
    assert vision.projected_tokens(torch.randn(2, 3, 32, 16)).shape == (2, 1 + 8, 24)


def test_a_projection_alone_draws_after_the_tower():
    image = sections.image(height=32, width=16)
    states = []
    for projection_dim in (None, 24):
        torch.manual_seed(0)
        states.append(clip_vision(VISION_SIZES, image, "sdpa", None, projection_dim).state_dict())
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])


def test_another_joint_space_than_the_published_one_is_refused(published):
    _, params = published
    with pytest.raises(ValueError, match=r"embedding_dim: 24 is not what .* projects to, 16; give"):
        clip_text(params, 24, 77, "sdpa")


def test_another_vocabulary_than_the_tokenizers_is_refused(published):
    _, params = published
    params = sections.clip_text_tower(pretrained=params.pretrained)
    with pytest.raises(ValueError, match="has 64 token embeddings for a tokenizer of 49408"):
        clip_text(params, 16, 77, "sdpa")
