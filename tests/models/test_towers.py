"""Towers: our wrapper gives the features of the library's own model; what cannot load says so."""

import pytest
import torch
from transformers import (
    CLIPConfig,
    CLIPModel,
    CLIPVisionModel,
    SiglipConfig,
    SiglipModel,
    SiglipVisionModel,
    T5Config,
    T5EncoderModel,
    T5ForConditionalGeneration,
    T5GemmaConfig,
    T5GemmaForConditionalGeneration,
    T5GemmaModuleConfig,
)

from ubg.models.towers.embeddings import ConvStem, resize_positions
from ubg.models.towers.text import masked_mean, t5_encoder
from ubg.models.towers.vision import clip_vision, siglip_vision
from ubg.params import Image, TextTower, VisionTower

VISION = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 48,
    "patch_size": 8,
    "image_size": 32,
}
TEXT = {
    "hidden_size": 32,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 48,
    "vocab_size": 64,
}
TINY = VisionTower(width=32, layers=2, heads=2, mlp_width=48, patch_size=16, conv_stem=True)


@pytest.fixture
def clip_folder(tmp_path):
    CLIPModel(CLIPConfig(vision_config=VISION, text_config=TEXT)).save_pretrained(tmp_path)
    return tmp_path


@pytest.fixture
def siglip_folder(tmp_path):
    SiglipModel(SiglipConfig(vision_config=VISION, text_config=TEXT)).save_pretrained(tmp_path)
    return tmp_path


def test_pretrained_clip_at_native_size_equals_the_librarys_model(clip_folder):
    params = VisionTower(pretrained=str(clip_folder), patch_size=8)
    images = torch.randn(2, 3, 32, 32)
    tokens, pooled = clip_vision(params, Image(height=32, width=32), "sdpa").eval()(images)
    expected = CLIPVisionModel.from_pretrained(clip_folder).eval()(pixel_values=images)
    torch.testing.assert_close(tokens, expected.last_hidden_state)
    torch.testing.assert_close(pooled, expected.pooler_output)


def test_pretrained_siglip_at_native_size_equals_the_librarys_model(siglip_folder):
    params = VisionTower(pretrained=str(siglip_folder), patch_size=8)
    images = torch.randn(2, 3, 32, 32)
    tokens, pooled = siglip_vision(params, Image(height=32, width=32), "sdpa").eval()(images)
    expected = SiglipVisionModel.from_pretrained(siglip_folder).eval()(pixel_values=images)
    torch.testing.assert_close(tokens, expected.last_hidden_state)
    torch.testing.assert_close(pooled, expected.pooler_output)


def test_other_size_gives_a_token_per_patch(clip_folder, siglip_folder):
    params = VisionTower(pretrained=str(siglip_folder), patch_size=8)
    tokens, pooled = siglip_vision(params, Image(height=48, width=16), "sdpa")(
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


@pytest.mark.parametrize("build", [clip_vision, siglip_vision])
def test_saved_config_rebuilds_the_tower(build):
    image = Image(height=32, width=16)
    tower = build(TINY, image, "eager").eval()
    again = build(TINY, image, "eager", tower.transformer.config.to_dict()).eval()
    again.load_state_dict(tower.state_dict())
    images = torch.randn(2, 3, 32, 16)
    assert torch.equal(tower(images)[1], again(images)[1])


def test_patch_size_must_divide_the_image():
    with pytest.raises(ValueError, match=r"40x16 is not a multiple of patch_size 16"):
        clip_vision(TINY, Image(height=40, width=16), "sdpa")


def test_patch_size_of_the_checkpoint_must_be_given(clip_folder):
    params = VisionTower(pretrained=str(clip_folder), patch_size=16)
    with pytest.raises(ValueError, match="patch_size: 16 is not that of"):
        clip_vision(params, Image(height=32, width=32), "sdpa")


def test_missing_folder_is_named(tmp_path):
    params = VisionTower(pretrained=str(tmp_path / "nothing"), patch_size=8)
    with pytest.raises(ValueError, match=r"nothing: has no readable config"):
        clip_vision(params, Image(height=32, width=32), "sdpa")


def test_checkpoint_of_another_kind_is_named(tmp_path):
    T5EncoderModel(
        T5Config(d_model=16, d_kv=8, d_ff=16, num_layers=1, num_heads=2, vocab_size=40)
    ).save_pretrained(tmp_path)
    params = VisionTower(pretrained=str(tmp_path), patch_size=8)
    with pytest.raises(ValueError, match="is a 't5' model, and this tower takes 'clip'"):
        clip_vision(params, Image(height=32, width=32), "sdpa")


def test_conv_stem_reduces_by_the_patch_size():
    assert ConvStem(64, 16)(torch.randn(2, 3, 64, 32)).shape == (2, 64, 4, 2)
    with pytest.raises(ValueError, match="not a power of two"):
        ConvStem(64, 14)


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
def test_pretrained_t5_equals_the_librarys_encoder(tmp_path, attention):
    config = T5Config(d_model=16, d_kv=8, d_ff=16, num_layers=2, num_heads=2, vocab_size=40)
    T5ForConditionalGeneration(config).save_pretrained(tmp_path)
    ids = torch.randint(0, 40, (2, 7))
    mask = torch.tensor([[1] * 7, [1] * 4 + [0] * 3])
    tower = t5_encoder(TextTower(pretrained=str(tmp_path), dropout=0.0), 40, attention).eval()
    expected = T5EncoderModel.from_pretrained(tmp_path).eval()(input_ids=ids, attention_mask=mask)
    torch.testing.assert_close(tower(ids, mask), expected.last_hidden_state)


def test_pretrained_t5gemma_equals_the_librarys_encoder(tmp_path):
    module = T5GemmaModuleConfig(
        vocab_size=40,
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=2,
        head_dim=8,
    )
    full = T5GemmaForConditionalGeneration(T5GemmaConfig(encoder=module, decoder=module)).eval()
    full.save_pretrained(tmp_path)
    ids = torch.randint(3, 40, (2, 7))
    mask = torch.tensor([[1] * 7, [1] * 4 + [0] * 3])
    tower = t5_encoder(TextTower(pretrained=str(tmp_path), dropout=0.0), 40, "sdpa").eval()
    expected = full.get_encoder()(input_ids=ids, attention_mask=mask).last_hidden_state
    kept = mask.bool()
    torch.testing.assert_close(tower(ids, mask)[kept], expected[kept])


def test_tokenizer_larger_than_the_embeddings_is_refused(tmp_path):
    config = T5Config(d_model=16, d_kv=8, d_ff=16, num_layers=1, num_heads=2, vocab_size=40)
    T5EncoderModel(config).save_pretrained(tmp_path)
    with pytest.raises(ValueError, match="40 token embeddings for a tokenizer of 41"):
        t5_encoder(TextTower(pretrained=str(tmp_path)), 41, "sdpa")


def test_padding_changes_no_text_feature():
    tower = t5_encoder(TextTower(width=16, layers=2, heads=2, mlp_width=16), 40, "sdpa").eval()
    ids = torch.randint(3, 40, (1, 5))
    padded = torch.cat([ids, torch.zeros(1, 4, dtype=torch.long)], 1)
    mask = torch.tensor([[1] * 5 + [0] * 4])
    short = masked_mean(tower(ids, torch.ones_like(ids)), torch.ones_like(ids))
    torch.testing.assert_close(masked_mean(tower(padded, mask), mask), short)


def test_masked_mean_by_hand():
    tokens = torch.tensor([[[1.0, 2.0], [3.0, 4.0], [100.0, 100.0]]])
    assert masked_mean(tokens, torch.tensor([[1, 1, 0]])).tolist() == [[2.0, 3.0]]
