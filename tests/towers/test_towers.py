"""Towers: from sizes or a checkpoint to tokens at any image size and any stride of patches."""

import pytest
import sections
import tiny_checkpoints
import torch
from torch.nn import functional as F
from transformers import T5Config, T5EncoderModel

from ubg.towers.embeddings import ConvStem, resize_positions
from ubg.towers.text import masked_mean, t5_encoder
from ubg.towers.vision import clip_vision, siglip_vision

TINY = sections.vision_tower(
    width=32, layers=2, heads=2, mlp_width=48, patch_size=16, conv_stem=True
)


@pytest.fixture
def clip_folder(tmp_path):
    tiny_checkpoints.transformers_clip(tmp_path)
    return tmp_path


@pytest.fixture
def siglip_folder(tmp_path):
    tiny_checkpoints.transformers_siglip(tmp_path)
    return tmp_path


def test_other_size_gives_a_token_per_patch(clip_folder, siglip_folder):
    params = sections.vision_tower(pretrained=str(siglip_folder), patch_size=8)
    tokens, pooled = siglip_vision(params, sections.image(height=48, width=16), "sdpa")(
        torch.randn(2, 3, 48, 16)
    )
    assert tokens.shape == (2, 12, 32)
    assert pooled.shape == (2, 32)


def test_positions_of_a_ramp_stay_a_ramp_and_the_class_token_is_kept():
    rows = torch.arange(4.0).repeat_interleave(4)
    columns = torch.arange(4.0).repeat(4)
    positions = torch.cat([torch.tensor([[7.0, 9.0]]), torch.stack([rows, columns], 1)])
    resized = resize_positions(positions, (8, 2), class_token=True)
    assert resized[0].tolist() == [7.0, 9.0]
    grid = resized[1:].reshape(8, 2, 2)
    # Bilinear, pixel centres aligned: rows are finer, columns coarser, both still in order.
    assert grid[:, 0, 0].tolist() == [0.0, 0.25, 0.75, 1.25, 1.75, 2.25, 2.75, 3.0]
    assert grid[0, :, 1].tolist() == [0.5, 2.5]


def test_same_grid_leaves_positions_alone():
    positions = torch.randn(9, 5)
    assert torch.equal(resize_positions(positions, (3, 3), class_token=False), positions)


def test_positions_are_resized_as_the_params_say(clip_folder):
    learned = tiny_checkpoints.transformers_clip(clip_folder).vision_model.embeddings
    learned = learned.position_embedding.weight.detach()
    for mode in ("bilinear", "bicubic"):
        params = sections.vision_tower(pretrained=str(clip_folder), patch_size=8, resize=mode)
        found = clip_vision(params, sections.image(height=48, width=16), "sdpa").embeddings
        image = learned[1:].T.reshape(1, 32, 4, 4)
        expected = F.interpolate(image, size=(6, 2), mode=mode).flatten(2)[0].T
        torch.testing.assert_close(found.position_embedding[1:].detach(), expected)
        assert torch.equal(found.position_embedding[0], learned[0])


@pytest.mark.parametrize("build", [clip_vision, siglip_vision])
@pytest.mark.parametrize(
    ("stride", "grid"), [(None, (24, 8)), (16, (24, 8)), (12, (31, 10)), (8, (47, 15))]
)
def test_384x128_at_patch_16_by_stride(build, stride, grid):
    params = sections.vision_tower(
        width=16, layers=1, heads=2, mlp_width=16, patch_size=16, stride=stride
    )
    tower = build(params, sections.image(height=384, width=128), "sdpa")
    assert tower.grid == grid
    tokens, _ = tower(torch.randn(1, 3, 384, 128))
    assert tokens.shape[1] == grid[0] * grid[1] + (build is clip_vision)


def test_overlapping_patches_are_the_windows_of_the_image(clip_folder):
    params = sections.vision_tower(pretrained=str(clip_folder), patch_size=8, stride=6)
    tower = clip_vision(params, sections.image(height=33, width=20), "sdpa")
    assert tower.grid == (5, 3)
    image = torch.randn(1, 3, 33, 20)
    tokens = tower.embeddings(image) - tower.embeddings.position_embedding
    kernel = tower.embeddings.patch_embedding.weight
    for row in range(5):
        for column in range(3):
            window = image[0, :, 6 * row : 6 * row + 8, 6 * column : 6 * column + 8]
            expected = (kernel * window).sum((1, 2, 3))
            found = tokens[0, 1 + 3 * row + column]
            torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)


def test_saved_config_and_params_rebuild_overlapping_patches(clip_folder):
    params = sections.vision_tower(pretrained=str(clip_folder), patch_size=8, stride=6)
    image = sections.image(height=33, width=20)
    tower = clip_vision(params, image, "eager").eval()
    again = clip_vision(params, image, "eager", tower.transformer.config.to_dict()).eval()
    again.load_state_dict(tower.state_dict())
    images = torch.randn(2, 3, 33, 20)
    assert torch.equal(tower(images)[1], again(images)[1])


def test_patches_leave_no_gaps_and_fit():
    sizes = {"width": 32, "layers": 2, "heads": 2, "mlp_width": 48}
    with pytest.raises(ValueError, match="stride must not be larger than patch_size"):
        sections.vision_tower(**sizes, patch_size=16, stride=17)
    with pytest.raises(ValueError, match="conv_stem has no stride"):
        sections.vision_tower(**sizes, patch_size=16, stride=8, conv_stem=True)
    params = sections.vision_tower(**sizes, patch_size=20, stride=10)
    with pytest.raises(ValueError, match=r"32x16 is smaller than patch_size 20"):
        clip_vision(params, sections.image(height=32, width=16), "sdpa")


@pytest.mark.parametrize("build", [clip_vision, siglip_vision])
def test_saved_config_rebuilds_the_tower(build):
    image = sections.image(height=32, width=16)
    tower = build(TINY, image, "eager").eval()
    again = build(TINY, image, "eager", tower.transformer.config.to_dict()).eval()
    again.load_state_dict(tower.state_dict())
    images = torch.randn(2, 3, 32, 16)
    assert torch.equal(tower(images)[1], again(images)[1])


def test_a_given_stride_may_leave_a_margin():
    params = sections.vision_tower(
        width=16, layers=1, heads=2, mlp_width=16, patch_size=14, stride=14
    )
    tower = siglip_vision(params, sections.image(height=384, width=128), "sdpa")
    assert tower.grid == (27, 9)
    assert tower.tokens(torch.randn(1, 3, 384, 128)).shape == (1, 27 * 9, 16)


def test_patch_size_must_divide_the_image():
    with pytest.raises(ValueError, match=r"40x16 is not a multiple of patch_size 16"):
        clip_vision(TINY, sections.image(height=40, width=16), "sdpa")


def test_patch_size_of_the_checkpoint_must_be_given(clip_folder):
    params = sections.vision_tower(pretrained=str(clip_folder), patch_size=16)
    with pytest.raises(ValueError, match="patch_size: 16 is not that of"):
        clip_vision(params, sections.image(height=32, width=32), "sdpa")


def test_conv_stem_reduces_by_the_patch_size():
    assert ConvStem(64, 16)(torch.randn(2, 3, 64, 32)).shape == (2, 64, 4, 2)
    with pytest.raises(ValueError, match="not a power of two"):
        ConvStem(64, 14)


def test_tokenizer_larger_than_the_embeddings_is_refused(tmp_path):
    config = T5Config(d_model=16, d_kv=8, d_ff=16, num_layers=1, num_heads=2, vocab_size=40)
    T5EncoderModel(config).save_pretrained(tmp_path)
    with pytest.raises(ValueError, match="40 token embeddings for a tokenizer of 41"):
        t5_encoder(sections.text_tower(pretrained=str(tmp_path)), 41, "sdpa")


def test_positions_of_a_new_text_tower_start_as_far_apart_as_asked():
    sizes = {"width": 64, "layers": 2, "heads": 8, "mlp_width": 16}
    tower = t5_encoder(sections.text_tower(**sizes, position_bias_std=3.0), 40, "sdpa")
    bias = tower.transformer.encoder.block[0].layer[0].SelfAttention.relative_attention_bias.weight
    assert 2.5 < bias.std() < 3.5


def test_padding_changes_no_text_feature():
    tower = t5_encoder(
        sections.text_tower(width=16, layers=2, heads=2, mlp_width=16), 40, "sdpa"
    ).eval()
    ids = torch.randint(3, 40, (1, 5))
    padded = torch.cat([ids, torch.zeros(1, 4, dtype=torch.long)], 1)
    mask = torch.tensor([[1] * 5 + [0] * 4])
    short = masked_mean(tower(ids, torch.ones_like(ids)), torch.ones_like(ids))
    torch.testing.assert_close(masked_mean(tower(padded, mask), mask), short)


def test_masked_mean_by_hand():
    tokens = torch.tensor([[[1.0, 2.0], [3.0, 4.0], [100.0, 100.0]]])
    assert masked_mean(tokens, torch.tensor([[1, 1, 0]])).tolist() == [[2.0, 3.0]]
