"""Towers from transformers' checkpoints: features of the library's own models; faults are named."""

import json
import os
import re

import pytest
import sections
import tiny_checkpoints as checkpoints
import torch
from huggingface_hub import constants as hub
from safetensors.torch import load_file, save_file
from tiny_checkpoints import JOINT, MEAN, PATCH, SIDE, STD
from transformers import (
    AutoConfig,
    CLIPImageProcessor,
    CLIPProcessor,
    CLIPVisionConfig,
    CLIPVisionModel,
    Siglip2Config,
    T5Config,
    T5EncoderModel,
    T5ForConditionalGeneration,
    T5GemmaConfig,
    T5GemmaForConditionalGeneration,
    T5GemmaModuleConfig,
)

from ubg.data.text.tokenizers import clip_tokenizer
from ubg.towers.clip_text import clip_text
from ubg.towers.text import t5_encoder
from ubg.towers.vision import SIGLIP_NORMALISATION, clip_vision, siglip_vision

SQUARE = sections.image(height=SIDE, width=SIDE)
NAME = "model.safetensors"


def vision_tower(source, build=clip_vision, **options):
    params = sections.vision_tower(pretrained=str(source), patch_size=PATCH)
    return build(params, SQUARE, "sdpa", **options).eval()


def assert_close(found, expected):
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)


@pytest.fixture(autouse=True)
def own_weights():
    """The same random weights whatever was drawn before: how they round must not vary."""
    torch.manual_seed(0)


@pytest.fixture(params=["folder", "file", "bin"])
def form(request):
    """A function from the folder of a checkpoint to a source of that form."""

    def source(folder):
        if request.param == "folder":
            return folder
        if request.param == "file":
            (folder / NAME).rename(folder / "renamed.safetensors")
            return folder / "renamed.safetensors"
        torch.save(load_file(folder / NAME), folder / "pytorch_model.bin")
        (folder / NAME).unlink()
        return folder

    return source


def test_clip_equals_the_librarys_model(tmp_path, form, monkeypatch):
    monkeypatch.setattr(hub, "HF_HUB_OFFLINE", True)
    model = checkpoints.transformers_clip(tmp_path)
    source = form(tmp_path)
    images = torch.randn(2, 3, SIDE, SIDE)
    tokens, pooled = vision_tower(source)(images)
    expected = model.vision_model(pixel_values=images)
    assert_close(tokens, expected.last_hidden_state)
    assert_close(pooled, expected.pooler_output)
    projected = vision_tower(source, projection_dim=JOINT).projected_tokens(images)[:, 0]
    assert_close(projected, model.get_image_features(pixel_values=images).pooler_output)
    ids, mask = checkpoints.captions(20, 7)
    text = clip_text(
        sections.clip_text_tower(pretrained=str(source), vocab_size=checkpoints.WORDS),
        JOINT,
        77,
        "sdpa",
    ).eval()
    found = text(ids, mask)[range(2), mask.sum(1) - 1]
    assert_close(found, model.get_text_features(input_ids=ids, attention_mask=mask).pooler_output)


def test_siglip_equals_the_librarys_model(tmp_path, form):
    """SigLIP 2 of fixed resolution is published as a SigLIP."""
    model = checkpoints.transformers_siglip(tmp_path)
    source = form(tmp_path)
    images = torch.randn(2, 3, SIDE, SIDE)
    tokens, pooled = vision_tower(source, siglip_vision)(images)
    expected = model.vision_model(pixel_values=images)
    assert_close(tokens, expected.last_hidden_state)
    assert_close(pooled, expected.pooler_output)
    unpooled = vision_tower(source, siglip_vision, pooled=False)
    assert_close(unpooled.tokens(images), expected.last_hidden_state)


def test_a_checkpoint_of_the_vision_tower_alone_equals_the_librarys_model(tmp_path):
    model = checkpoints.randomised(CLIPVisionModel(CLIPVisionConfig(**checkpoints.VISION)))
    model.save_pretrained(tmp_path)
    CLIPImageProcessor().save_pretrained(tmp_path)
    images = torch.randn(2, 3, SIDE, SIDE)
    assert_close(vision_tower(tmp_path)(images)[1], model(pixel_values=images).pooler_output)


def test_the_buffer_of_positions_in_older_checkpoints_is_no_fault(tmp_path):
    checkpoints.transformers_clip(tmp_path)
    state = load_file(tmp_path / NAME)
    state["vision_model.embeddings.position_ids"] = torch.arange(17)[None]
    save_file(state, tmp_path / NAME, {"format": "pt"})
    vision_tower(tmp_path)


def test_the_checkpoints_activation_is_kept(tmp_path):
    checkpoints.transformers_clip(tmp_path)
    for name in ("quick_gelu", "gelu"):
        config = json.loads((tmp_path / "config.json").read_text())
        config["vision_config"]["hidden_act"] = name
        (tmp_path / "config.json").write_text(json.dumps(config))
        images = torch.randn(2, 3, SIDE, SIDE)
        expected = CLIPVisionModel.from_pretrained(tmp_path).eval()(pixel_values=images)
        assert_close(vision_tower(tmp_path)(images)[1], expected.pooler_output)


@pytest.mark.parametrize("whole", [True, False])
def test_images_are_normalised_as_the_checkpoint_says(tmp_path, whole):
    checkpoints.transformers_clip(tmp_path)
    (tmp_path / "preprocessor_config.json").unlink()
    images = CLIPImageProcessor(image_mean=MEAN, image_std=STD)
    (CLIPProcessor(images, clip_tokenizer()) if whole else images).save_pretrained(tmp_path)
    tower = vision_tower(tmp_path)
    assert (list(tower.normalisation.mean), list(tower.normalisation.std)) == (MEAN, STD)
    config = tower.transformer.config.to_dict()
    assert vision_tower("gone", config=config).normalisation == tower.normalisation


def test_siglip_has_its_own_normalisation(tmp_path):
    checkpoints.transformers_siglip(tmp_path)
    assert vision_tower(tmp_path, siglip_vision).normalisation == SIGLIP_NORMALISATION


def test_a_checkpoint_that_names_no_normalisation_is_refused(tmp_path):
    checkpoints.transformers_clip(tmp_path)
    text = sections.clip_text_tower(pretrained=str(tmp_path), vocab_size=checkpoints.WORDS)
    (tmp_path / "preprocessor_config.json").unlink()
    with pytest.raises(ValueError, match=r"does not say by what mean.*preprocessor_config.json"):
        vision_tower(tmp_path)
    clip_text(text, JOINT, 77, "sdpa")


@pytest.mark.parametrize("name", ["preprocessor_config.json", "processor_config.json"])
@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"image_processor": None}, "does not say by what mean"),
        ({"image_processor": []}, "does not say by what mean"),
        ({"image_processor": "CLIP", "image_mean": MEAN}, "does not say by what mean"),
        ({"image_processor": {"image_mean": None}}, "does not say by what mean"),
        ({"image_mean": 0.5, "image_std": STD}, "names 0.5 as mean"),
        ({"image_mean": {"0": 0.5}, "image_std": STD}, "names {'0': 0.5} as mean"),
        ({"image_mean": MEAN, "image_std": [*STD, 0.5]}, "as mean or deviation"),
        ({"image_mean": MEAN, "image_std": [0.5, "0.5", 0.5]}, "as mean or deviation"),
        ({"image_mean": MEAN, "image_std": [0.5, None, 0.5]}, "as mean or deviation"),
        ({"image_mean": MEAN, "image_std": [0.5, True, 0.5]}, "as mean or deviation"),
        ({"image_mean": MEAN, "image_std": [0.5, 0, 0.5]}, "as mean or deviation"),
        ({"image_mean": MEAN, "image_std": [0.5, 10**400, 0.5]}, "as mean or deviation"),
        ({"image_mean": MEAN, "image_std": ["x" * 10**4] * 3}, "as mean or deviation"),
        ([MEAN, STD], "is not a JSON object"),
        (None, "is not a JSON object"),
        ("mean", "is not a JSON object"),
    ],
)
def test_a_normalisation_of_wrong_types_is_refused_in_one_line(tmp_path, name, values, told):
    checkpoints.transformers_clip(tmp_path)
    (tmp_path / "preprocessor_config.json").unlink()
    (tmp_path / name).write_text(json.dumps(values))
    with pytest.raises(ValueError, match=re.escape(told)) as caught:
        vision_tower(tmp_path)
    message = str(caught.value)
    assert "\n" not in message
    assert len(message.replace(str(tmp_path), "")) < 500


def test_a_hub_name_is_read_from_the_cache_when_offline(tmp_path, monkeypatch):
    revision = "0" * 40
    repository = tmp_path / "models--someone--miniature"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text(revision)
    model = checkpoints.transformers_clip(repository / "snapshots" / revision)
    monkeypatch.setattr(hub, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr("transformers.utils.hub.constants.HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(hub, "HF_HUB_OFFLINE", True)
    images = torch.randn(2, 3, SIDE, SIDE)
    expected = model.vision_model(pixel_values=images).pooler_output
    assert_close(vision_tower("someone/miniature")(images)[1], expected)
    with pytest.raises(ValueError, match="someone/nothing: has no readable config") as caught:
        vision_tower("someone/nothing")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "value", "fault"),
    [
        (
            "vision_model.post_layernorm.bias",
            None,
            r"1 weights .* are not in .*post_layernorm.bias",
        ),
        ("vision_model.spare", torch.zeros(2), r"1 weights are no part of .*spare"),
        ("vision_model.post_layernorm.bias", torch.zeros(3), r"is of shape \(3,\) and not \(32,\)"),
    ],
)
def test_a_weight_that_does_not_load_is_named(tmp_path, form, name, value, fault):
    checkpoints.transformers_clip(tmp_path)
    state = load_file(tmp_path / NAME)
    state.pop(name, None)
    save_file(state | ({} if value is None else {name: value}), tmp_path / NAME, {"format": "pt"})
    with pytest.raises(ValueError, match=fault) as caught:
        vision_tower(form(tmp_path))
    assert "\n" not in str(caught.value)


class Code:
    def __reduce__(self):
        return os.mkdir, (self.path,)


def test_pickled_code_is_refused_and_not_run(tmp_path):
    checkpoints.transformers_clip(tmp_path)
    (tmp_path / NAME).unlink()
    code = Code()
    code.path = str(tmp_path / "ran")
    torch.save({"vision_model.post_layernorm.bias": code}, tmp_path / "pytorch_model.bin")
    for source in (tmp_path, tmp_path / "pytorch_model.bin"):
        with pytest.raises(ValueError, match="it holds pickled objects") as caught:
            vision_tower(source)
        assert "\n" not in str(caught.value)
    assert not (tmp_path / "ran").exists()


def test_code_beside_a_config_is_not_run(tmp_path):
    checkpoints.transformers_clip(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    config |= {"model_type": "own", "auto_map": {"AutoConfig": "own.OwnConfig"}}
    (tmp_path / "config.json").write_text(json.dumps(config))
    (tmp_path / "own.py").write_text(f"import os\nos.mkdir({str(tmp_path / 'ran')!r})\n")
    with pytest.raises(ValueError, match="has no readable config"):
        vision_tower(tmp_path)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("content", [b"", b"nothing", b"\xff" * 64])
def test_damaged_files_are_one_line(tmp_path, content):
    checkpoints.transformers_clip(tmp_path)
    for name in (NAME, "preprocessor_config.json", "config.json"):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(ValueError, match=str(tmp_path)) as caught:
            vision_tower(tmp_path)
        assert "\n" not in str(caught.value)


def test_another_kind_of_checkpoint_is_named(tmp_path):
    config = T5Config(d_model=16, d_kv=8, d_ff=16, num_layers=1, num_heads=2, vocab_size=40)
    T5EncoderModel(config).save_pretrained(tmp_path)
    with pytest.raises(ValueError, match="is a 't5' model, and this tower takes 'clip'"):
        vision_tower(tmp_path)
    with pytest.raises(ValueError, match="is a 't5' model, and this tower takes 'siglip'"):
        vision_tower(tmp_path, siglip_vision)


def test_siglip_2_of_variable_resolution_is_refused(tmp_path):
    Siglip2Config().save_pretrained(tmp_path)
    with pytest.raises(ValueError, match=r"\(NaFlex\).* such as google/siglip2-base-patch16-256"):
        vision_tower(tmp_path, siglip_vision)


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(ValueError, match="nothing: has no readable config"):
        vision_tower(tmp_path / "nothing")


T5_KINDS = {
    "v1.0": {"feed_forward_proj": "relu"},
    "v1.1 and Flan": {"feed_forward_proj": "gated-gelu", "tie_word_embeddings": False},
}


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
@pytest.mark.parametrize("kind", T5_KINDS)
def test_t5_equals_the_librarys_encoder(tmp_path, kind, attention, form):
    sizes = {"d_model": 16, "d_kv": 8, "d_ff": 24, "num_layers": 2, "num_heads": 2}
    config = T5Config(**sizes, vocab_size=40, **T5_KINDS[kind])
    model = checkpoints.randomised(T5ForConditionalGeneration(config))
    model.save_pretrained(tmp_path)
    # What the published files hold beside the encoder.
    state = load_file(tmp_path / NAME)
    state |= {
        f"{part}.embed_tokens.weight": state["shared.weight"].clone()
        for part in ("encoder", "decoder")
    }
    state["lm_head.weight"] = torch.randn(40, 16)
    save_file(state, tmp_path / NAME, {"format": "pt"})

    ids = torch.randint(0, 40, (2, 7))
    mask = torch.tensor([[1] * 7, [1] * 4 + [0] * 3])
    params = sections.text_tower(pretrained=str(form(tmp_path)), dropout=0.0)
    tower = t5_encoder(params, 40, attention).eval()
    expected = model.encoder(input_ids=ids, attention_mask=mask).last_hidden_state
    assert_close(tower(ids, mask), expected)


def test_t5gemma_equals_the_librarys_encoder(tmp_path, form):
    module = T5GemmaModuleConfig(
        vocab_size=40,
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=2,
        head_dim=8,
    )
    model = T5GemmaForConditionalGeneration(T5GemmaConfig(encoder=module, decoder=module))
    checkpoints.randomised(model).save_pretrained(tmp_path)
    ids = torch.randint(3, 40, (2, 7))
    mask = torch.tensor([[1] * 7, [1] * 4 + [0] * 3])
    params = sections.text_tower(pretrained=str(form(tmp_path)), dropout=0.0)
    tower = t5_encoder(params, 40, "sdpa").eval()
    expected = model.get_encoder()(input_ids=ids, attention_mask=mask).last_hidden_state
    assert_close(tower(ids, mask)[mask.bool()], expected[mask.bool()])


def test_a_t5_with_a_weight_too_few_or_too_many_is_named(tmp_path):
    config = T5Config(d_model=16, d_kv=8, d_ff=16, num_layers=1, num_heads=2, vocab_size=40)
    T5ForConditionalGeneration(config).save_pretrained(tmp_path)
    params = sections.text_tower(pretrained=str(tmp_path))
    state = load_file(tmp_path / NAME)
    scale = state.pop("encoder.final_layer_norm.weight")
    save_file(state, tmp_path / NAME, {"format": "pt"})
    with pytest.raises(ValueError, match=r"not in the .*'encoder.final_layer_norm.weight'"):
        t5_encoder(params, 40, "sdpa")
    state |= {"encoder.final_layer_norm.weight": scale, "encoder.spare": scale.clone()}
    save_file(state, tmp_path / NAME, {"format": "pt"})
    with pytest.raises(ValueError, match=r"are no part of T5EncoderModel.*'encoder.spare'"):
        t5_encoder(params, 40, "sdpa")


def test_another_model_than_t5_is_refused_as_text_tower(tmp_path):
    checkpoints.transformers_clip(tmp_path)
    assert AutoConfig.from_pretrained(tmp_path).model_type == "clip"
    with pytest.raises(ValueError, match="is a 'clip' model; allowed as text tower: t5, t5gemma"):
        t5_encoder(sections.text_tower(pretrained=str(tmp_path)), 40, "sdpa")
