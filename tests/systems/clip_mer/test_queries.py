"""Queries of several parts: fused, whatever the order, and the same alone and in a batch."""

from itertools import permutations

import pytest
import torch
from safetensors.torch import load_model
from tiny_clip_mer import (
    build_clip_mer,
    clip_mer_batch,
    clip_mer_scale,
    give_updates,
    query_parts,
)
from tiny_models import VOCABULARY, build_model
from torch.nn import functional as F

from ubg.runtime.checkpoint import save_weights
from ubg.systems.clip_mer.parts import COMBINATIONS, PARTS, SINGLE_PARTS

EVERY = [*SINGLE_PARTS, *COMBINATIONS]


@pytest.fixture(scope="module", params=["eager", "sdpa"])
def model(request):
    model = build_clip_mer(clip_mer_scale(attention=request.param, conv_stem=True))
    give_updates(model)
    return model.eval()


@pytest.fixture(scope="module")
def tokens(model):
    with torch.inference_mode():
        parts = query_parts(clip_mer_batch())
        return {name: model.part_tokens(name, inputs) for name, inputs in parts.items()}


def test_there_are_fifteen_combinations_of_parts():
    assert len(EVERY) == len(set(EVERY)) == 15


@torch.inference_mode()
def test_every_combination_is_a_unit_vector_of_its_own(model, tokens):
    found = [model.fuse({name: tokens[name] for name in names}) for names in EVERY]
    for features in found:
        assert features.shape == (6, 16)
        torch.testing.assert_close(features.norm(dim=1), torch.ones(6))
    assert len({features[0, 0].item() for features in found}) == 15


@torch.inference_mode()
def test_order_of_parts_is_no_matter(model, tokens):
    expected = model.fuse(tokens)
    for names in permutations(PARTS):
        assert torch.equal(model.fuse({name: tokens[name] for name in names}), expected)


@torch.inference_mode()
@pytest.mark.parametrize("names", EVERY, ids="+".join)
def test_a_part_that_is_missing_is_one_that_is_left_out(model, tokens, names):
    """Bit for bit, whatever stands in its place."""
    expected = model.fuse({name: tokens[name] for name in names})
    all_tokens = torch.stack([tokens[name] for name in PARTS], dim=1)
    present_P = torch.tensor([name in names for name in PARTS])
    all_tokens[:, ~present_P] = 1e6
    found = model.fusion(all_tokens, present_P.expand(6, -1))
    assert torch.equal(found, expected)


@torch.inference_mode()
def test_rows_may_have_different_parts(model, tokens):
    rows = [EVERY[place] for place in (0, 3, 5, 9, 12, 14)]
    present_BP = torch.tensor([[name in names for name in PARTS] for names in rows])
    found = model.fusion(torch.stack([tokens[name] for name in PARTS], dim=1), present_BP)
    for row, names in enumerate(rows):
        own = {name: tokens[name][row : row + 1] for name in names}
        torch.testing.assert_close(found[row : row + 1], model.fuse(own))


@torch.inference_mode()
def test_embeddings_are_the_same_alone_and_in_a_batch(model):
    batch = clip_mer_batch()
    together = model.encode_query(query_parts(batch))
    images = model.encode_image(batch["images"])
    for row in range(6):
        alone = {name: field[row : row + 1] for name, field in batch.items()}
        torch.testing.assert_close(model.encode_query(query_parts(alone))[0], together[row])
        torch.testing.assert_close(model.encode_image(alone["images"])[0], images[row])


@torch.inference_mode()
def test_text_is_a_query_of_one_part(model, tokens):
    batch = clip_mer_batch()
    text = query_parts(batch)["text"]
    expected = model.fuse({"text": tokens["text"]})
    assert torch.equal(model.encode_text(text), expected)
    assert torch.equal(model.encode_query({"text": text}), expected)
    assert torch.equal(model.single("text", tokens["text"]), expected)
    words = model.text(text["caption_ids"], text["caption_attn_mask"])
    pooled = words[torch.arange(6), text["caption_attn_mask"].sum(1) - 1]
    torch.testing.assert_close(tokens["text"][:, 0], pooled, atol=1e-5, rtol=1e-4)


@torch.inference_mode()
def test_fusion_starts_near_the_mean_of_the_parts(model, tokens):
    fused = model.fuse(tokens)
    mean = F.normalize(sum(F.normalize(part[:, 0], dim=1) for part in tokens.values()), dim=1)
    assert (fused * mean).sum(1).min() > 0.8


@torch.inference_mode()
def test_fusion_is_the_same_in_training(model, tokens):
    expected = model.fuse(tokens)
    found = model.train().fuse(tokens)
    model.eval()
    assert torch.equal(found, expected)


@pytest.mark.parametrize(
    ("parts", "fault"),
    [
        ({}, "a query has no parts; give at least one of text, nir, cp, sk"),
        ({"depth": {}}, "'depth' is no part of a query; allowed: text, nir, cp, sk"),
    ],
)
def test_queries_without_known_parts_are_refused(model, parts, fault):
    with pytest.raises(ValueError, match=fault):
        model.encode_query(parts)


def test_parts_of_different_counts_are_refused(model, tokens):
    with pytest.raises(ValueError, match="different counts: 6 of text, 5 of sk; give as many"):
        model.fuse({"text": tokens["text"], "sk": tokens["sk"][:5]})


def test_heads_of_the_fusion_divide_its_width():
    with pytest.raises(ValueError, match=r"fusion\.heads: 3 does not divide embedding_dim 16"):
        build_clip_mer(clip_mer_scale(fusion={"layers": 1, "heads": 3}))


@pytest.mark.parametrize("own", ["conv", "all"])
@pytest.mark.parametrize("text", [False, True])
def test_saved_model_has_no_classifier_and_the_embeddings_of_the_trained_one(tmp_path, own, text):
    scale = clip_mer_scale(own=own, conv_stem=True, adapters={"text": text})
    model, batch = build_clip_mer(scale), clip_mer_batch()
    give_updates(model)
    model.train()(batch)  # moves the statistics of the stems
    model.eval()
    save_weights(tmp_path / "model.safetensors", model.saved_parts()["model"])
    torch.manual_seed(9)
    again = build_model("clip_mer", scale, VOCABULARY, model.tower_configs()).eval()
    load_model(again, tmp_path / "model.safetensors")
    assert not any(name.startswith("objective") for name in again.state_dict())
    with torch.inference_mode():
        parts = query_parts(batch)
        assert torch.equal(again.encode_query(parts), model.encode_query(parts))
        assert torch.equal(again.encode_image(batch["images"]), model.encode_image(batch["images"]))
