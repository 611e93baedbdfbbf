"""The decoder is shown the caption and the visible patches of its own sample, nothing else."""

import numpy as np
import pytest
import torch
from tiny_models import (
    GRID,
    PATCHES,
    build_phase4,
    full_batch,
    tiny_generation,
    tiny_scale,
)

from ubg.systems.phase4.joint.condition import frozen_statistics, indices_of
from ubg.towers.relative_bias import Positions

POSITIONS = pytest.mark.parametrize("positions", ["1d", "2d"])
ATTENTION = pytest.mark.parametrize("attention", ["eager", "sdpa"])


def condition_of(batch, model):
    return model.generator.condition(model.retrieval, batch)


def masked_batch():
    """Samples that show two patches, half of them, one, none, all; one caption is hidden."""
    batch = full_batch(tiny_generation())
    masked = torch.ones(6, PATCHES, dtype=torch.bool)
    for row, visible in enumerate(([1, 6], [0, 2, 4, 6], [7], [], list(range(PATCHES)), [3, 4])):
        masked[row, visible] = False
    batch["masked_patches"] = masked
    batch["text_hidden"] = torch.tensor([False, False, False, False, False, True])
    shown = ~masked.reshape(6, 1, *GRID).repeat_interleave(16, 2).repeat_interleave(16, 3)
    return batch | {"masked_images": batch["images"] * shown}


@pytest.mark.parametrize("size", [1, 5, 200])
def test_indices_by_a_loop(size):
    rng = np.random.default_rng(size)
    selected = torch.from_numpy(rng.random((7, size)) < rng.random((7, 1)))
    index, mask = indices_of(selected)
    assert index.shape == mask.shape == (7, max(1, int(selected.sum(1).max())))
    assert index.dtype == mask.dtype == torch.long
    for row, expected in enumerate(selected):
        places = expected.nonzero()[:, 0].tolist()
        assert index[row, : len(places)].tolist() == places
        assert mask[row].tolist() == [1] * len(places) + [0] * (index.shape[1] - len(places))


def test_indices_of_nothing_are_one_that_is_masked():
    index, mask = indices_of(torch.zeros(3, 4, dtype=torch.bool))
    assert index.shape == (3, 1)
    assert not mask.any()


@POSITIONS
@ATTENTION
def test_dropped_patches_equal_running_each_sample_alone_and_unpadded(positions, attention):
    scale = tiny_scale(positions, attention=attention)
    model = build_phase4(scale, tiny_generation(masked_patch="drop")).eval()
    vision, encoder = model.retrieval.vision, model.retrieval.encoder
    batch = masked_batch()
    features, mask = condition_of(batch, model)
    for row in range(6):
        length = int(batch["caption_attn_mask_t5"][row].sum())
        visible = (~batch["masked_patches"][row]).nonzero()[:, 0]
        text = encoder.embed_text(batch["caption_ids_t5"][row : row + 1, :length])
        if batch["text_hidden"][row]:
            text = text[:, -1:]
        words = text.shape[1]
        if len(visible):
            patches = vision.embeddings(batch["masked_images"][row : row + 1])[:, visible]
            body = getattr(vision.transformer, "vision_model", vision.transformer)
            seen = body.encoder(inputs_embeds=patches).last_hidden_state
            image = encoder.embed_image(body.post_layernorm(seen))
            text = torch.cat([text, image], dim=1)
        places = Positions(words, visible[None], start=words)  # distances are all that counts
        everything = torch.ones(1, text.shape[1], dtype=torch.long)
        expected = encoder.encode(text, everything, places)[0]
        found = features[row][mask[row].bool()]
        torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)


@POSITIONS
@pytest.mark.parametrize("masked_patch", ["drop", "embedding", "grey"])
def test_a_sample_is_encoded_alike_in_every_batch(positions, masked_patch):
    generation = tiny_generation(masked_patch=masked_patch)
    model = build_phase4(tiny_scale(positions, conv_stem=True), generation).eval()
    batch = masked_batch()
    features, mask = condition_of(batch, model)
    for row in range(6):
        length = int(batch["caption_attn_mask_t5"][row].sum())
        alone = {name: values[row : row + 1] for name, values in batch.items()}
        for name in ("caption_ids_t5", "caption_attn_mask_t5"):
            alone[name] = alone[name][:, :length]
        found, found_mask = condition_of(alone, model)
        torch.testing.assert_close(
            found[0][found_mask[0].bool()], features[row][mask[row].bool()], atol=1e-5, rtol=1e-5
        )


@pytest.mark.parametrize("masked_patch", ["drop", "embedding", "grey"])
def test_pixels_below_the_mask_count_only_where_they_are_shown_as_grey(masked_patch):
    model = build_phase4(tiny_scale(), tiny_generation(masked_patch=masked_patch)).eval()
    batch = masked_batch()
    features, mask = condition_of(batch, model)
    other, _ = condition_of(batch | {"masked_images": batch["images"]}, model)
    kept = mask.bool()
    if masked_patch == "grey":
        assert not torch.allclose(other[kept], features[kept])
    else:
        torch.testing.assert_close(other[kept], features[kept])


@pytest.mark.parametrize("masked_patch", ["embedding", "grey"])
def test_where_nothing_is_masked_the_image_tokens_are_those_of_retrieval(masked_patch):
    model = build_phase4(tiny_scale(), tiny_generation(masked_patch=masked_patch)).eval()
    batch = masked_batch()
    batch["masked_patches"] = torch.zeros(6, PATCHES, dtype=torch.bool)
    batch["masked_images"] = batch["images"]
    tokens, _, mask = model.generator.condition._image_tokens(model.retrieval, batch)
    torch.testing.assert_close(tokens, model.retrieval.vision.tokens(batch["images"]))
    assert mask.all()


def test_a_masked_patch_is_the_learned_embedding_at_its_place():
    model = build_phase4(tiny_scale(), tiny_generation(masked_patch="embedding")).eval()
    vision, condition = model.retrieval.vision, model.generator.condition
    batch = masked_batch()
    tokens, _, _ = condition._image_tokens(model.retrieval, batch)
    embeddings = vision.embeddings(batch["masked_images"])
    for row in range(6):
        for patch in batch["masked_patches"][row].nonzero()[:, 0]:
            place = vision.embeddings.position_embedding[patch]
            embeddings[row, patch] = condition.mask_embedding + place
    everything = torch.ones(6, PATCHES, dtype=torch.long)
    torch.testing.assert_close(tokens, vision.tokens_of_embeddings(embeddings, everything))


def test_of_a_hidden_caption_the_end_alone_is_left():
    model = build_phase4(tiny_scale(), tiny_generation()).eval()
    batch = masked_batch()
    batch["text_hidden"] = torch.tensor([True, False] * 3)
    features, mask = condition_of(batch, model)
    width = batch["caption_ids_t5"].shape[1]
    for row in range(6):
        length = int(batch["caption_attn_mask_t5"][row].sum())
        shown = [length - 1] if row % 2 == 0 else list(range(length))
        assert mask[row, :width].nonzero()[:, 0].tolist() == shown
    changed = dict(batch)
    changed["caption_ids_t5"] = batch["caption_ids_t5"].clone()
    changed["caption_ids_t5"][:, 0] = (batch["caption_ids_t5"][:, 0] + 1) % 50
    other, _ = condition_of(changed, model)
    for row in range(6):
        kept = mask[row].bool()
        kept[0] = False
        same = torch.allclose(other[row][kept], features[row][kept], atol=1e-6)
        assert same == (row % 2 == 0)


def test_the_statistics_of_batch_norm_do_not_move_and_are_used_in_evaluation():
    norm = torch.nn.Sequential(torch.nn.BatchNorm2d(3), torch.nn.ReLU())
    norm(torch.randn(4, 3, 5, 5))
    before = {name: value.clone() for name, value in norm.state_dict().items()}
    shifted = torch.randn(4, 3, 5, 5) + 10
    with frozen_statistics(norm):
        frozen = norm(shifted)
    assert all(torch.equal(norm.state_dict()[name], before[name]) for name in before)
    norm.eval()
    expected = norm(shifted)
    with frozen_statistics(norm):
        assert torch.equal(norm(shifted), expected)
    norm.train()
    assert torch.equal(norm(shifted), frozen)
    assert not torch.equal(norm.state_dict()["0.running_mean"], before["0.running_mean"])


def test_statistics_move_again_after_an_error():
    norm = torch.nn.BatchNorm2d(3)
    with pytest.raises(RuntimeError), frozen_statistics(norm):
        norm(torch.randn(4, 2, 5, 5))
    norm(torch.randn(4, 3, 5, 5) + 10)
    assert norm.num_batches_tracked == 1
    assert (norm.running_mean > 0.5).all()
