"""Batch norm before the projections: what is projected, what is learnt, what is saved."""

import pytest
import torch
from tiny_models import VOCABULARY, build_model, retrieval_batch, tiny_scale
from tiny_trained import save_trained
from torch.nn import functional as F

import ubg
from ubg.data.text.unigram import fit_tokenizer

SYSTEMS = ["phase1", "phase2", "phase3"]
CAPTIONS = ["a man in a red coat and blue jeans", "a woman in a green dress", "a boy in a blue cap"]


def build(system, neck, vocabulary=VOCABULARY):
    torch.manual_seed(0)
    return build_model(system, tiny_scale(conv_stem=True, neck=neck), vocabulary)


@pytest.mark.parametrize("system", SYSTEMS)
def test_projections_are_given_normalised_features(system):
    model, batch = build(system, "batch_norm"), retrieval_batch()
    pooled = {
        "image": model.pool_image(batch["images"]),
        "text": model.pool_text(batch["caption_ids_t5"], batch["caption_attn_mask_t5"]),
    }
    found = {"image": model.encode_image(batch["images"]), "text": model.encode_text(batch)}
    for side, features in pooled.items():
        mean, var = features.mean(0), features.var(0, correction=0)
        normalised = (features - mean) / (var + 1e-5).sqrt()
        expected = F.normalize(getattr(model, f"{side}_projection")(normalised), dim=-1)
        torch.testing.assert_close(found[side], expected, atol=1e-4, rtol=1e-4)
        torch.testing.assert_close(getattr(model, f"{side}_neck").running_mean, 0.1 * mean)


@pytest.mark.parametrize("system", SYSTEMS)
def test_without_it_weights_are_drawn_the_same(system):
    plain, normed = build(system, "none").state_dict(), build(system, "batch_norm").state_dict()
    assert all(torch.equal(plain[name], normed[name]) for name in plain)
    more = {name.split(".")[0] for name in normed.keys() - plain.keys()}
    assert more == {"image_neck", "text_neck"}


@pytest.mark.parametrize("system", SYSTEMS)
def test_its_statistics_are_saved_and_loaded(system, tmp_path):
    tokenizer = fit_tokenizer(CAPTIONS * 4, 64, tmp_path / "tokenizer")
    model, batch = build(system, "batch_norm", len(tokenizer)), retrieval_batch()
    batch["caption_ids_t5"] %= len(tokenizer)
    model(batch)
    model.eval()
    scale = tiny_scale(conv_stem=True, neck="batch_norm")
    save_trained(tmp_path, system, scale, model, tokenizer)
    loaded = ubg.load(tmp_path, device="cpu").model
    with torch.inference_mode():
        images, texts = model.encode_image(batch["images"]), model.encode_text(batch)
        assert torch.equal(loaded.encode_image(batch["images"]), images)
        assert torch.equal(loaded.encode_text(batch), texts)
    assert loaded.text_neck.num_batches_tracked == 1
