"""What the branch stands beside is the model of that system, and its folder says which."""

import json

import pytest
import sections
import torch
from tiny_models import VOCABULARY, build_phase, network_of, retrieval_batch, tiny_scale
from tiny_trained import CAPTIONS, save_trained

from ubg.data.text.tokenizers import clip_tokenizer
from ubg.data.text.unigram import fit_tokenizer
from ubg.runtime.files import write_json
from ubg.systems.phase4.retrieval import build
from ubg.trained import load_trained

SYSTEMS = ["irra", "phase1", "phase2", "phase3"]


def batch_for(model):
    """Captions under the names that the model reads."""
    batch = retrieval_batch()
    captions = batch["caption_ids_t5"], batch["caption_attn_mask_t5"]
    return batch | dict(zip(model.caption_fields, captions, strict=True))


@pytest.mark.parametrize("beside", SYSTEMS)
def test_it_is_the_model_of_that_system(beside):
    scale = tiny_scale(neck="batch_norm")
    expected = build_phase(beside, scale).eval()
    batch = batch_for(expected)
    torch.manual_seed(0)
    found = build(network_of("phase4", scale, beside), VOCABULARY, {}).eval()
    assert type(found) is type(expected)
    with torch.inference_mode():
        assert torch.equal(found.encode_text(batch), expected.encode_text(batch))
        images = batch["images"]
        assert torch.equal(found.encode_image(images), expected.encode_image(images))


@pytest.fixture(params=SYSTEMS)
def saved(request, tmp_path):
    """A trained folder, the phase that its model is, and the model."""
    scale, beside = tiny_scale(), request.param
    if beside == "irra":
        tokenizer = clip_tokenizer()
        words = sections.clip_text_tower(width=24, layers=2, heads=2, mlp_width=48)
        towers = scale.towers.model_copy(update={"clip_text": words})
        scale = scale.model_copy(update={"towers": towers})
    else:
        tokenizer = fit_tokenizer(CAPTIONS * 4, 64, tmp_path / "tokenizer")
    model = build(network_of("phase4", scale, beside), len(tokenizer), {}).eval()
    save_trained(tmp_path, "phase4", scale, model, tokenizer, beside=beside)
    return tmp_path, beside, model


def test_the_folder_is_read_back(saved):
    folder, beside, model = saved
    found, batch = load_trained(folder), batch_for(model)
    assert found.network.beside == beside
    batch[model.caption_fields[0]] %= len(found.tokenizer)
    with torch.inference_mode():
        assert torch.equal(found.model.encode_text(batch), model.encode_text(batch))
        images = batch["images"]
        assert torch.equal(found.model.encode_image(images), model.encode_image(images))


def test_a_folder_that_names_another_phase_or_none_is_refused_in_a_line(saved):
    folder, beside, _ = saved
    config = json.loads((folder / "config.json").read_text())
    other = "phase3" if beside in ("irra", "phase1") else "phase1"
    write_json(folder / "config.json", config | {"network": config["network"] | {"beside": other}})
    with pytest.raises(ValueError, match="train it again with `dvc repro`") as raised:
        load_trained(folder)
    assert "\n" not in str(raised.value)
    del config["network"]["beside"]
    write_json(folder / "config.json", config)
    with pytest.raises(ValueError, match=r"config\.json: beside: missing; the folder"):
        load_trained(folder)
