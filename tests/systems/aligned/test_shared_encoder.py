"""Phase 3: one encoder for both modalities, equal to the library's where that can compute it."""

import pytest
import sections
import torch
from safetensors.torch import load_model
from tiny_checkpoints import transformers_siglip
from tiny_models import (
    GRID,
    HEIGHT,
    PATCHES,
    VOCABULARY,
    WIDTH,
    build_model,
    build_phase3,
    retrieval_batch,
    tiny_scale,
)
from transformers import (
    SiglipVisionModel,
    T5GemmaConfig,
    T5GemmaForConditionalGeneration,
    T5GemmaModuleConfig,
)

from ubg.losses import itc_loss, sdm_loss
from ubg.runtime.checkpoint import save_weights
from ubg.towers.relative_bias import GridBias, Positions, sequence_bias
from ubg.towers.shared import SharedTextImageEncoder
from ubg.towers.text import t5_encoder
from ubg.towers.vision import siglip_vision
from ubg.training.task import loss_weights

VARIANTS = [
    {"positions": positions, "pooling": pooling, "cls_token": cls_token}
    for positions in ("1d", "2d")
    for pooling, cls_token in (("mean", False), ("mean", True), ("cls", True), ("last", False))
]


@pytest.mark.parametrize("with_itc", [True, False])
def test_losses_are_those_of_the_embeddings(with_itc):
    losses = sections.losses(sdm=1.0, itc=1.0 if with_itc else None)
    scale = tiny_scale().model_copy(update={"losses": losses})
    model = build_phase3(scale).eval()
    batch = retrieval_batch()
    image, text = model.encode_image(batch["images"]), model.encode_text(batch)
    torch.testing.assert_close(image.norm(dim=1), torch.ones(6))
    torch.testing.assert_close(text.norm(dim=1), torch.ones(6))
    expected = {"sdm_loss": sdm_loss(image, text, batch["pids"], 1 / scale.temperature)}
    if with_itc:
        expected["itc_loss"] = itc_loss(image, text, 1 / scale.temperature)
    found = model(batch)
    assert found.keys() == expected.keys() == loss_weights(losses).keys()
    for name, value in expected.items():
        torch.testing.assert_close(found[name], value)


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_weight_learns(variant):
    model = build_phase3(tiny_scale(**variant))
    sum(model(retrieval_batch()).values()).backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert torch.isfinite(parameter.grad).all(), name
        if not name.endswith("k_proj.bias"):  # adds the same to every score of a query
            assert parameter.grad.any(), name


def learned_from(model, embeddings):
    """Names of the parameters that a function of some embeddings depends on."""
    model.zero_grad()
    (embeddings * torch.arange(embeddings.shape[1])).sum().backward()
    gradients = {name: parameter.grad for name, parameter in model.named_parameters()}
    return {name for name, grad in gradients.items() if grad is not None and grad.any()}


@pytest.mark.parametrize("positions", ["1d", "2d"])
def test_both_passes_go_through_the_same_weights_and_images_teach_the_vision_tower(positions):
    model = build_phase3(tiny_scale(positions))
    batch = retrieval_batch()
    by_image = learned_from(model, model.encode_image(batch["images"]))
    by_text = learned_from(model, model.encode_text(batch))
    names = {name for name, _ in model.named_parameters()}
    vision = {name for name in names if name.startswith("vision.") and "k_proj.bias" not in name}
    blocks = {name for name in names if ".block." in name and "relative" not in name}
    assert vision <= by_image
    assert not vision & by_text
    assert blocks
    assert blocks <= by_image & by_text
    bias = {name for name in names if "relative_attention_bias" in name}
    assert len(bias) == 1
    assert bias <= by_text
    assert (bias <= by_image) == (positions == "1d")
    grid = {name for name in names if "grid_bias" in name}
    assert len(grid) == (2 if positions == "2d" else 0)
    assert grid <= by_image
    assert not grid & by_text


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("attention", ["eager", "sdpa"])
def test_padding_of_captions_changes_no_embedding(variant, attention):
    model = build_phase3(tiny_scale(**variant, attention=attention)).eval()
    batch = retrieval_batch()
    together = model.encode_text(batch)
    for row, length in enumerate(batch["caption_attn_mask_t5"].sum(1).tolist()):
        alone = model.encode_text(
            {
                "caption_ids_t5": batch["caption_ids_t5"][row : row + 1, :length],
                "caption_attn_mask_t5": torch.ones(1, length, dtype=torch.long),
            }
        )
        torch.testing.assert_close(together[row], alone[0], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("variant", VARIANTS)
def test_pooling_by_hand(variant):
    encoder = build_phase3(tiny_scale(**variant)).eval().encoder
    ids = torch.tensor([[5, 6, 7, 1], [8, 9, 1, 0]])
    mask = torch.tensor([[1, 1, 1, 1], [1, 1, 1, 0]])
    pooled = encoder.pool(*encoder.text_features(ids, mask))
    for row, length in enumerate((4, 3)):
        tokens = encoder.embed_text(ids[row : row + 1, :length])
        if variant["cls_token"]:
            tokens = torch.cat([encoder.class_token[None, None], tokens], dim=1)
        count = tokens.shape[1]
        positions = Positions.of_text(count, ids.device)
        features = encoder.encode(tokens, torch.ones(1, count, dtype=torch.long), positions)[0]
        expected = {"mean": features.mean(0), "cls": features[0], "last": features[-1]}
        torch.testing.assert_close(pooled[row], expected[variant["pooling"]], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("attention", ["eager", "sdpa"])
@pytest.mark.parametrize("training", [True, False])
def test_with_positions_of_a_sequence_it_is_the_librarys_encoder(attention, training):
    model = build_phase3(tiny_scale(attention=attention, dropout=0.1 * training))
    encoder = model.encoder.train(training)
    tokens = torch.randn(3, 7, encoder.width)
    mask = torch.tensor([[1] * 7, [1] * 4 + [0] * 3, [1, 0, 0, 0, 0, 0, 0]])
    torch.manual_seed(1)
    found = encoder.encode(tokens, mask, Positions.of_text(7, tokens.device))
    torch.manual_seed(1)
    expected = encoder.text.transformer(inputs_embeds=tokens, attention_mask=mask)
    torch.testing.assert_close(found, expected.last_hidden_state)


def first_attention(model):
    return model.encoder.text.transformer.encoder.block[0].layer[0].SelfAttention


def test_sequence_bias_is_the_librarys_and_moves_with_the_positions():
    attention = first_attention(build_phase3(tiny_scale()))
    expected = attention.compute_bias(200, 200)
    assert torch.equal(sequence_bias(attention, torch.arange(200)[None]), expected)
    places = torch.tensor([[3, 199, 0, 17], [40, 41, 42, 43]])
    found = sequence_bias(attention, places)
    for row, place in enumerate(places):
        assert torch.equal(found[row], expected[0][:, place][:, :, place])


def test_grid_bias_by_a_double_loop():
    attention = first_attention(build_phase3(tiny_scale()))
    bias = GridBias(GRID, heads=2, std=1.0)
    patches, words = torch.tensor([[0, 7, 2], [5, 1, 6]]), 4
    found = bias(attention, Positions(words, patches, start=torch.tensor([[2], [3]])))
    of_text = attention.compute_bias(words, words)[0]
    for row in range(2):
        for i in range(words + 3):
            for j in range(words + 3):
                if i >= words and j >= words:
                    query, key = int(patches[row, i - words]), int(patches[row, j - words])
                    down = key // GRID[1] - query // GRID[1]
                    right = key % GRID[1] - query % GRID[1]
                    expected = (
                        bias.rows.weight[down + GRID[0] - 1]
                        + bias.columns.weight[right + GRID[1] - 1]
                    )
                elif i >= words or j >= words:
                    expected = torch.zeros(2)
                else:
                    expected = of_text[:, i, j]
                torch.testing.assert_close(found[row, :, i, j], expected)
    only_patches = bias(attention, Positions.of_patches(patches))
    torch.testing.assert_close(only_patches, found[:, :, words:, words:])
    only_words = bias(attention, Positions.of_text(words, patches.device))
    torch.testing.assert_close(only_words[0], of_text)


def test_2d_positions_alone_tell_the_places_of_equal_tokens_apart_by_grid_distance():
    encoder = build_phase3(tiny_scale("2d")).eval().encoder
    torch.nn.init.zeros_(encoder.grid_bias.columns.weight)
    tokens = torch.randn(1, PATCHES, encoder.width)
    mask = torch.ones(1, PATCHES, dtype=torch.long)
    order = torch.tensor([[1, 0, 3, 2, 5, 4, 7, 6]])  # mirrored: rows stay
    plain = encoder.encode(tokens, mask, Positions.of_patches(torch.arange(PATCHES)[None]))
    mirrored = encoder.encode(tokens, mask, Positions.of_patches(order))
    torch.testing.assert_close(plain, mirrored)
    upside_down = encoder.encode(
        tokens[:, order[0]], mask, Positions.of_patches(torch.arange(PATCHES)[None])
    )
    torch.testing.assert_close(upside_down, plain[:, order[0]])
    rolled = torch.arange(PATCHES).roll(2)[None]
    assert not torch.allclose(encoder.encode(tokens, mask, Positions.of_patches(rolled)), plain)


def test_the_image_stands_where_the_text_ends():
    patches = torch.tensor([[0, 5], [2, 3]])
    same = Positions(3, patches, start=3)
    assert same.sequence_BL.tolist() == [[0, 1, 2, 3, 8], [0, 1, 2, 5, 6]]
    own = Positions(3, patches, start=torch.tensor([[2], [3]]))
    assert own.sequence_BL.tolist() == [[0, 1, 2, 2, 7], [0, 1, 2, 5, 6]]
    assert Positions.of_text(2, patches.device).sequence_BL.tolist() == [[0, 1]]
    behind = Positions.of_patches(patches).behind_class_token()
    assert behind.sequence_BL.tolist() == [[0, 1, 6], [0, 3, 4]]


@pytest.fixture
def t5gemma(tmp_path):
    module = T5GemmaModuleConfig(
        vocab_size=VOCABULARY,
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=2,
        head_dim=8,
    )
    config = T5GemmaConfig(encoder=module, decoder=module)
    T5GemmaForConditionalGeneration(config).save_pretrained(tmp_path)
    tower = sections.text_tower(pretrained=str(tmp_path), dropout=0.0)
    scale = tiny_scale()
    return scale.model_copy(update={"towers": scale.towers.model_copy(update={"t5": tower})})


def test_t5gemma_encodes_both_modalities_with_1d_positions(t5gemma):
    model = build_phase3(t5gemma)
    encoder = model.encoder
    tokens = torch.randn(2, 5, encoder.width)
    mask = torch.tensor([[1] * 5, [1] * 3 + [0] * 2])
    found = encoder.eval().encode(tokens, mask, Positions.of_text(5, tokens.device))
    expected = encoder.text.transformer(inputs_embeds=tokens, attention_mask=mask)
    kept = mask.bool()
    torch.testing.assert_close(found[kept], expected.last_hidden_state[kept])
    model.train()
    sum(model(retrieval_batch()).values()).backward()
    untouched = [name for name, p in model.named_parameters() if p.grad is None]
    assert untouched == []
    assert model.pretrained_modules() == [encoder.text]


def test_t5gemma_refuses_2d_positions(t5gemma):
    text = t5_encoder(t5gemma.towers.t5, VOCABULARY, "eager")
    with pytest.raises(ValueError, match=r"image_positions: 2d needs .* T5GemmaEncoderModel"):
        SharedTextImageEncoder(text, 32, GRID, sections.shared_encoder(image_positions="2d"))


def test_siglip_without_its_head_has_the_same_tokens_and_fewer_weights():
    params, image = tiny_scale().towers.siglip, sections.image(height=HEIGHT, width=WIDTH)
    full = siglip_vision(params, image, "sdpa").eval()
    bare = siglip_vision(params, image, "sdpa", pooled=False).eval()
    weights = full.state_dict()
    assert bare.state_dict().keys() == {name for name in weights if ".head." not in name}
    assert len(bare.state_dict()) < len(weights)
    bare.load_state_dict({name: weights[name] for name in bare.state_dict()})
    images = torch.randn(2, 3, HEIGHT, WIDTH)
    torch.testing.assert_close(bare.tokens(images), full(images)[0])


def test_pretrained_siglip_loads_without_its_head_and_reloads_from_its_config(tmp_path):
    transformers_siglip(tmp_path)
    params, image = (
        sections.vision_tower(pretrained=str(tmp_path), patch_size=8),
        sections.image(height=32, width=32),
    )
    tower = siglip_vision(params, image, "sdpa", pooled=False).eval()
    assert not [name for name in tower.state_dict() if ".head." in name]
    images = torch.randn(2, 3, 32, 32)
    expected = SiglipVisionModel.from_pretrained(tmp_path).eval()(pixel_values=images)
    torch.testing.assert_close(tower.tokens(images), expected.last_hidden_state)
    config = tower.transformer.config.to_dict()
    again = siglip_vision(params, image, "sdpa", config, pooled=False).eval()
    again.load_state_dict(tower.state_dict())
    assert torch.equal(again.tokens(images), tower.tokens(images))


def test_image_tokens_enter_at_the_scale_of_words():
    model = build_phase3(tiny_scale())
    assert model.pretrained_modules() == []
    words = model.encoder.text.transformer.get_input_embeddings().weight
    tokens = torch.randn(4, PATCHES, model.vision.width)
    mapped = model.encoder.image_to_token(tokens)
    assert 0.7 < mapped.square().mean().sqrt() / words.square().mean().sqrt() < 1.4


@pytest.mark.parametrize("system", ["phase3", "phase4"])
@pytest.mark.parametrize("variant", [VARIANTS[1], VARIANTS[5]])
def test_saved_model_is_rebuilt_from_its_configs_under_either_name(tmp_path, system, variant):
    scale = tiny_scale(**variant, conv_stem=True)
    model = build_phase3(scale).eval()
    save_weights(tmp_path / "model.safetensors", model)
    torch.manual_seed(1)
    again = build_model(system, scale, VOCABULARY, model.tower_configs()).eval()
    load_model(again, tmp_path / "model.safetensors")
    batch = retrieval_batch()
    assert torch.equal(again.encode_image(batch["images"]), model.encode_image(batch["images"]))
    assert torch.equal(again.encode_text(batch), model.encode_text(batch))


def test_same_seed_same_weights():
    one, other = (build_phase3(tiny_scale(), seed=3).state_dict() for _ in range(2))
    assert all(torch.equal(one[name], other[name]) for name in one)
