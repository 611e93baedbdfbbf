"""Towers from open_clip's checkpoints: features of open_clip's own models; faults are named."""

import json
import os
import shutil

import open_clip
import pytest
import sections
import tiny_checkpoints as checkpoints
import torch
from huggingface_hub import constants as hub
from safetensors.torch import load_file, load_model, save_file
from tiny_checkpoints import EOT, JOINT, MEAN, OPEN_CLIP, OPEN_SIGLIP, PATCH, SIDE, STD
from tiny_models import VOCABULARY, build_model, tiny_scale

from ubg.runtime.checkpoint import save_weights
from ubg.towers.clip_text import clip_text
from ubg.towers.vision import CLIP_NORMALISATION, clip_vision, siglip_vision

SQUARE = sections.image(height=SIDE, width=SIDE)
NAME = checkpoints.OPEN_CLIP_WEIGHTS


def changed(settings, part=None, **values):
    if part is None:
        return settings | values
    return settings | {part: settings[part] | values}


def vision_tower(source, architecture=None, build=clip_vision, **options):
    params = sections.vision_tower(
        pretrained=str(source), architecture=architecture, patch_size=PATCH
    )
    return build(params, SQUARE, "sdpa", **options).eval()


def text_tower(source, architecture=None):
    params = sections.clip_text_tower(
        pretrained=str(source), architecture=architecture, vocab_size=checkpoints.WORDS
    )
    return clip_text(params, JOINT, 20, "sdpa").eval()


def assert_equal_features(model, source, architecture=None):
    """Both towers of a CLIP give what open_clip's own model gives."""
    images = torch.randn(2, 3, SIDE, SIDE)
    vision = vision_tower(source, architecture, projection_dim=JOINT)
    found = vision.projected_tokens(images)[:, 0]
    torch.testing.assert_close(found, model.encode_image(images), atol=1e-5, rtol=1e-5)
    ids, mask = checkpoints.captions(20, 7, 13)
    found = text_tower(source, architecture)(ids, mask)[range(3), mask.sum(1) - 1]
    torch.testing.assert_close(found, model.encode_text(ids), atol=1e-5, rtol=1e-5)


@pytest.fixture
def folder(tmp_path):
    """A CLIP of open_clip on disk."""
    model = checkpoints.open_clip_model(OPEN_CLIP)
    checkpoints.save_open_clip(tmp_path / "clip", OPEN_CLIP, model.state_dict())
    return tmp_path / "clip"


@pytest.mark.parametrize("quick_gelu", [True, False])
@pytest.mark.parametrize("custom_text", [True, False])
def test_clip_from_a_folder_equals_open_clip(tmp_path, quick_gelu, custom_text):
    settings = changed(OPEN_CLIP, quick_gelu=quick_gelu, custom_text=custom_text)
    model = checkpoints.open_clip_model(settings)
    checkpoints.save_open_clip(tmp_path, settings, model.state_dict())
    assert_equal_features(model, tmp_path)


@pytest.mark.parametrize("name", ["weights.pt", "open_clip_pytorch_model.bin"])
def test_clip_from_a_file_of_torch_save_equals_open_clip(tmp_path, folder, name):
    state = load_file(folder / NAME)
    (folder / NAME).unlink()
    model = checkpoints.open_clip_model(OPEN_CLIP)
    model.load_state_dict(state)
    torch.save(state, folder / name)
    assert_equal_features(model, folder / name)
    if name == "open_clip_pytorch_model.bin":
        assert_equal_features(model, folder)


def publish(monkeypatch, name, *means):
    """Have open_clip know weights of its model `name` whose images have these means."""
    weights = {f"own_{i}": {"mean": mean, "std": STD} for i, mean in enumerate(means)}
    monkeypatch.setitem(open_clip.pretrained._PRETRAINED, name, weights)


def test_openais_layout_without_a_config_equals_open_clip(tmp_path, monkeypatch):
    (tmp_path / "miniature-quickgelu.json").write_text(json.dumps(OPEN_CLIP))
    open_clip.add_model_config(tmp_path / "miniature-quickgelu.json")
    publish(monkeypatch, "miniature-quickgelu", MEAN)
    model = checkpoints.open_clip_model(OPEN_CLIP).half().float()
    sizes = {"input_resolution": SIDE, "context_length": 20, "vocab_size": checkpoints.WORDS}
    state = {name: value.half() for name, value in model.state_dict().items()}
    state |= {name: torch.tensor(size) for name, size in sizes.items()}
    torch.save(state, tmp_path / "openai.pt")
    assert_equal_features(model, tmp_path / "openai.pt", "miniature-quickgelu")
    with pytest.raises(ValueError, match=r"holds no open_clip_config.json; put it there, or name"):
        vision_tower(tmp_path / "openai.pt")


def test_training_checkpoint_equals_open_clip(tmp_path, folder):
    state = load_file(folder / NAME)
    model = checkpoints.open_clip_model(OPEN_CLIP)
    model.load_state_dict(state)
    wrapped = {"epoch": 3, "state_dict": {f"module.{name}": value for name, value in state.items()}}
    torch.save(wrapped, folder / "epoch_3.pt")
    assert_equal_features(model, folder / "epoch_3.pt")


@pytest.mark.parametrize("trunk", ["vit_miniature_siglip", "vit_miniature_siglip2"])
def test_siglip_equals_open_clip(tmp_path, trunk):
    settings = changed(OPEN_SIGLIP, "vision_cfg", timm_model_name=trunk)
    model = checkpoints.open_clip_model(settings)
    checkpoints.save_open_clip(tmp_path, settings, model.state_dict())
    images = torch.randn(2, 3, SIDE, SIDE)
    for source in (tmp_path, tmp_path / NAME):
        tokens, pooled = vision_tower(source, build=siglip_vision)(images)
        expected = model.visual.trunk.forward_features(images)
        torch.testing.assert_close(tokens, expected, atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(pooled, model.encode_image(images), atol=1e-5, rtol=1e-5)
        unpooled = vision_tower(source, build=siglip_vision, pooled=False)
        torch.testing.assert_close(unpooled.tokens(images), expected, atol=1e-5, rtol=1e-5)


def test_published_siglip_architectures_are_read_from_their_names():
    from ubg.towers.open_clip import read_settings, tower_config

    for name, act, side in (
        ("ViT-B-16-SigLIP-384", "gelu", 384),
        ("ViT-B-16-SigLIP2-256", "gelu", 256),
        ("ViT-B-32-SigLIP2-256", "gelu_pytorch_tanh", 256),
    ):
        config = tower_config(read_settings("", name)[0], "siglip", "vision", name)
        assert (config.hidden_size, config.num_hidden_layers) == (768, 12)
        assert (config.hidden_act, config.image_size) == (act, side)
    config = tower_config(read_settings("", "ViT-SO400M-14-SigLIP")[0], "siglip", "vision", "")
    assert (config.hidden_size, config.intermediate_size, config.patch_size) == (1152, 4304, 14)
    settings = read_settings("", "ViT-L-14-quickgelu")[0]
    config = tower_config(settings, "clip", "vision", "")
    assert (config.hidden_act, config.num_attention_heads, config.projection_dim) == (
        "quick_gelu",
        16,
        768,
    )
    assert tower_config(settings, "clip", "text", "").num_attention_heads == 12


def test_hub_name_is_read_from_the_cache_when_offline(tmp_path, folder, monkeypatch):
    revision = "0" * 40
    repository = tmp_path / "hub" / "models--someone--miniature"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text(revision)
    (repository / "snapshots").mkdir()
    folder.rename(repository / "snapshots" / revision)
    monkeypatch.setattr(hub, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(hub, "HF_HUB_OFFLINE", True)
    model = checkpoints.open_clip_model(OPEN_CLIP)
    model.load_state_dict(load_file(repository / "snapshots" / revision / NAME))
    assert_equal_features(model, "hf-hub:someone/miniature")
    with pytest.raises(
        ValueError, match="someone/nothing: is no folder, the hub cannot be reached"
    ):
        vision_tower("hf-hub:someone/nothing")


def test_weights_alone_are_normalised_as_the_published_ones_where_these_agree(folder, monkeypatch):
    (folder / "miniature.json").write_text(json.dumps(OPEN_CLIP))
    open_clip.add_model_config(folder / "miniature.json")
    publish(monkeypatch, "miniature", MEAN, MEAN)
    tower = vision_tower(folder / NAME, "miniature")
    assert (list(tower.normalisation.mean), list(tower.normalisation.std)) == (MEAN, STD)
    for means in ((), (MEAN, STD)):
        publish(monkeypatch, "miniature", *means)
        with pytest.raises(ValueError, match=r"does not say by what mean.*open_clip_config.json"):
            vision_tower(folder / NAME, "miniature")


@pytest.mark.parametrize(
    ("name", "mean"),
    [
        ("ViT-B-16-quickgelu", list(CLIP_NORMALISATION.mean)),
        ("ViT-B-16-SigLIP2-256", [0.5] * 3),
        ("ViT-L-14-CLIPA", [0.485, 0.456, 0.406]),
        ("ViT-L-14", None),  # one of LAION's weights differs from the others
    ],
)
def test_normalisation_of_published_weights(name, mean):
    from ubg.towers.open_clip import read_settings

    assert read_settings("", name)[1].get("mean") == mean


def test_images_are_normalised_as_the_checkpoint_says(folder):
    tower = vision_tower(folder)
    assert (list(tower.normalisation.mean), list(tower.normalisation.std)) == (MEAN, STD)
    config = tower.transformer.config.to_dict()
    again = clip_vision(
        sections.vision_tower(pretrained="gone", patch_size=PATCH), SQUARE, "sdpa", config
    )
    assert again.normalisation == tower.normalisation
    (folder / "open_clip_config.json").write_text(json.dumps(OPEN_CLIP))
    with pytest.raises(ValueError, match=r"does not say by what mean.*open_clip_config.json"):
        vision_tower(folder)
    values = {"model_cfg": OPEN_CLIP, "preprocess_cfg": {"mean": [0.5], "std": STD}}
    (folder / "open_clip_config.json").write_text(json.dumps(values))
    with pytest.raises(ValueError, match=r"names \[0.5\] as mean or deviation"):
        vision_tower(folder)


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (lambda state: state.pop("visual.ln_pre.bias"), r"not in the .*pre_layrnorm.bias"),
        (
            lambda state: state.pop("visual.transformer.resblocks.1.attn.in_proj_weight"),
            r"3 weights of CLIPVisionModel are not .*layers.1.self_attn.k_proj.weight",
        ),
        (
            lambda state: state.update({"visual.spare": torch.zeros(2)}),
            r"1 weights are no part of CLIPVisionModel, the first is 'visual.spare'",
        ),
        (
            lambda state: state.update({"visual.conv1.weight": torch.zeros(4, 3, 8, 8)}),
            r"patch_embedding.weight' is of shape \(4, 3, 8, 8\) and not \(32, 3, 8, 8\)",
        ),
    ],
)
def test_a_weight_that_does_not_load_is_named(folder, change, fault):
    state = load_file(folder / NAME)
    change(state)
    save_file(state, folder / NAME)
    with pytest.raises(ValueError, match=fault) as caught:
        vision_tower(folder)
    assert "\n" not in str(caught.value)


def test_weights_of_the_other_tower_may_be_absent_but_not_those_of_the_text(folder):
    state = load_file(folder / NAME)
    images = {name: value for name, value in state.items() if name.startswith("visual.")}
    save_file(images, folder / NAME)
    vision_tower(folder)
    with pytest.raises(ValueError, match="of CLIPTextModelWithProjection are not in the"):
        text_tower(folder)


class Code:
    def __reduce__(self):
        return os.mkdir, (self.path,)


@pytest.mark.parametrize("name", ["open_clip_pytorch_model.bin", "weights.pt"])
def test_pickled_code_is_refused_and_not_run(tmp_path, folder, name):
    (folder / NAME).unlink()
    code = Code()
    code.path = str(tmp_path / "ran")
    torch.save({"visual.proj": code}, folder / name)
    source = folder if name.startswith("open_clip") else folder / name
    with pytest.raises(ValueError, match="it holds pickled objects") as caught:
        vision_tower(source)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"\x89PNG\r\n\x1a\n picture", "it is no file of torch, but begins with b'\\x89PNG"),
        (b"version https://git-lfs.github.com/spec/v1", "begins with b'version https://'"),
        (b"hello world", "begins with b'hello world'"),
        (b"", "it is empty"),
        (b"\x80", "cannot be read as weights: "),
        (b"PK\x03\x04", "cannot be read as weights: "),
    ],
)
def test_a_file_that_is_none_of_weights_is_told_as_such(tmp_path, content, reason):
    (tmp_path / "weights.pt").write_bytes(content)
    with pytest.raises(ValueError, match=r"weights\.pt: cannot be read as weights") as caught:
        vision_tower(tmp_path / "weights.pt")
    assert reason in str(caught.value)
    assert "pickled objects" not in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.filterwarnings("ignore")
def test_a_torchscript_program_is_refused(folder):
    torch.jit.script(torch.nn.Linear(2, 2)).save(str(folder / "program.pt"))
    with pytest.raises(ValueError, match=r"program.pt: is a TorchScript archive") as caught:
        vision_tower(folder / "program.pt")
    assert "`python -c " in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"nothing", b"\xff" * 64])
@pytest.mark.parametrize("suffix", ["safetensors", "pt"])
def test_damaged_weights_are_one_line(folder, content, suffix):
    (folder / f"damaged.{suffix}").write_bytes(content)
    with pytest.raises(ValueError, match=r"damaged.* cannot be read as weights") as caught:
        vision_tower(folder / f"damaged.{suffix}")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", ["", "[]", "{", '{"model_cfg": 3}', '{"a": 1}'])
def test_damaged_settings_are_one_line(folder, content):
    (folder / "open_clip_config.json").write_text(content)
    with pytest.raises(ValueError, match="clip") as caught:
        vision_tower(folder)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("settings", "fault"),
    [
        (changed(OPEN_CLIP, "vision_cfg", ls_init_value=0.1), "ls_init_value is 0.1"),
        (changed(OPEN_CLIP, "vision_cfg", pool_type="avg"), "pool_type is 'avg'"),
        (changed(OPEN_CLIP, "vision_cfg", layers=[1, 2, 3, 4]), "layers is .* not a number"),
        (changed(OPEN_CLIP, "vision_cfg", unheard_of=1), "unheard_of"),
        (OPEN_SIGLIP, "timm_model_name is 'vit_miniature_siglip', which"),
    ],
)
def test_settings_that_the_clip_tower_has_not_are_refused(folder, settings, fault):
    (folder / "open_clip_config.json").write_text(json.dumps({"model_cfg": settings}))
    with pytest.raises(ValueError, match=rf"not those of a clip vision tower: .*{fault}"):
        vision_tower(folder)


@pytest.mark.parametrize(
    ("settings", "fault"),
    [
        (OPEN_CLIP, "layers is 2, which"),
        (changed(OPEN_SIGLIP, "vision_cfg", timm_pool="avg"), "no SigLIP of fixed resolution"),
        (
            changed(OPEN_SIGLIP, "vision_cfg", timm_model_name="naflexvit_base_patch16_siglip"),
            "no SigLIP of fixed resolution",
        ),
        (
            changed(OPEN_SIGLIP, "vision_cfg", timm_model_name="hf-hub:someone/else"),
            "timm_model_name is 'hf-hub:someone/else'",
        ),
    ],
)
def test_settings_that_the_siglip_tower_has_not_are_refused(folder, settings, fault):
    (folder / "open_clip_config.json").write_text(json.dumps({"model_cfg": settings}))
    with pytest.raises(ValueError, match=rf"not those of a siglip vision tower: .*{fault}"):
        vision_tower(folder, build=siglip_vision)


def test_an_unknown_architecture_is_refused(folder):
    with pytest.raises(ValueError, match="open_clip knows no model 'ViT-Z'"):
        vision_tower(folder / NAME, "ViT-Z")


def test_a_folder_without_weights_says_which_it_looked_for(folder):
    (folder / NAME).unlink()
    with pytest.raises(ValueError, match=r"holds none of open_clip_model\.safetensors, "):
        vision_tower(folder)


@pytest.mark.parametrize("system", ["irra", "phase1", "phase2", "phase3"])
def test_a_system_is_rebuilt_without_its_checkpoints(tmp_path, folder, system):
    siglip = checkpoints.open_clip_model(OPEN_SIGLIP)
    checkpoints.save_open_clip(tmp_path / "siglip", OPEN_SIGLIP, siglip.state_dict())
    clip = sections.vision_tower(pretrained=str(folder), patch_size=PATCH, stride=6)
    clip_words = sections.clip_text_tower(pretrained=str(folder), vocab_size=checkpoints.WORDS)
    other = sections.vision_tower(
        pretrained=str(tmp_path / "siglip"), patch_size=PATCH, resize="bicubic"
    )
    scale = tiny_scale()
    towers = scale.towers.model_copy(
        update={"clip": clip, "clip_text": clip_words, "siglip": other}
    )
    scale = scale.model_copy(update={"towers": towers, "embedding_dim": JOINT})
    model = build_model(system, scale, VOCABULARY).eval()
    assert list(model.normalisation.mean) == MEAN

    configs = json.loads(json.dumps(model.tower_configs()))
    shutil.rmtree(folder)
    shutil.rmtree(tmp_path / "siglip")
    again = build_model(system, scale, VOCABULARY, configs).eval()
    save_weights(tmp_path / "weights.safetensors", model)
    load_model(again, tmp_path / "weights.safetensors")
    assert again.normalisation == model.normalisation
    images = torch.randn(2, 3, scale.image.height, scale.image.width)
    torch.testing.assert_close(model.encode_image(images), again.encode_image(images))
    ids, mask = checkpoints.captions(7, 12)
    text = dict(zip(model.caption_fields, (ids.clamp(max=VOCABULARY - 1), mask), strict=True))
    torch.testing.assert_close(model.encode_text(text), again.encode_text(text))


def test_captions_end_at_the_token_that_open_clip_pools():
    ids, mask = checkpoints.captions(4, 6)
    assert ids.argmax(1).tolist() == (mask.sum(1) - 1).tolist()
    assert int(ids.max()) == EOT
