"""The plan: its counts against counts by hand, its batches, and what it refuses."""

import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import sections
import torch
from huggingface_hub import constants as hub
from tiny_checkpoints import (
    OPEN_CLIP,
    OPEN_CLIP_WEIGHTS,
    PATCH,
    open_clip_model,
    save_open_clip,
    transformers_clip,
)
from tiny_models import text_generation, tiny_generation, tiny_scale
from torch import nn
from transformers import CLIPTextModel, CLIPVisionModel, SiglipVisionModel, T5EncoderModel

from ubg.params import Dataset, load_params
from ubg.params.read import read_section
from ubg.plan.architectures import Architectures, published
from ubg.plan.count import flops_per_sample, kept_bytes, parameters_by_part, tokens_by_stack
from ubg.plan.plan import plan_system, training_set
from ubg.plan.random_data import RandomTokenizer, caption_lengths, random_table
from ubg.plan.random_run import random_system
from ubg.plan.step import TrainingStep
from ubg.plan.table import plan_lines
from ubg.systems import system_names
from ubg.towers.vision import clip_vision
from ubg.training.recompute import recompute_activations

ROOT = Path(__file__).parents[2]
CPU = torch.device("cpu")
SYSTEMS = system_names()


def tiny_params(**training):
    scale = tiny_scale()
    irra = scale.irra.model_copy(update={"interaction_heads": 2})
    vqgan = scale.vqgan.model_copy(update={"fit": scale.vqgan.fit.model_copy(update={"codes": 20})})
    training = scale.training.model_copy(update={"batch_size": 8, **training})
    scale = scale.model_copy(
        update={
            "irra": irra,
            "clip_mer": sections.clip_mer(),
            "t2i_reid": sections.t2i_reid({"cls": 1.0, "cloth": 0.5, "cloth_adv": 0.1}),
            "vqgan": vqgan,
            "training": training,
        }
    )
    return load_params().model_copy(
        update={"preset": scale, "generation": tiny_generation(decoder_layers=1)}
    )


def config_of(tower, family, part):
    """The architecture of a tower, and what was assumed of it."""
    architectures = Architectures()
    return architectures.tower_config(tower, family, part), architectures.notes


def sizes(config):
    names = "hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size"
    return [config[name] for name in (*names, "layer_norm_eps")]


def step_of(system, **training):
    system = random_system(system, tiny_params(**training), identities=5)
    return TrainingStep(system, CPU), system.batch(4)


def test_captions_are_as_long_as_those_of_cuhk_pedes():
    lengths = caption_lengths(100_000, max_tokens=500)
    words = (lengths - 2) / 1.2
    assert words.mean() == pytest.approx(23.5, abs=0.2)
    assert words.min() >= 11
    assert 70 < words.max() < 97
    assert caption_lengths(1000, max_tokens=30).max() == 30


@pytest.mark.parametrize("system", SYSTEMS)
def test_a_small_batch_is_padded_like_a_whole_one(system):
    step, batch = step_of(system)
    whole = caption_lengths(8, tiny_params().preset.tokenizer.max_tokens).max()
    ids, mask = (batch[name] for name in step.model.caption_fields)
    assert ids.shape == mask.shape == (4, whole)
    assert (ids[mask == 0] == 0).all()
    assert mask.sum(1).min() > 2


def test_captions_hold_every_word_of_the_largest_vocabulary():
    table = random_table(batch_size=8, identities=5, max_tokens=77)
    tokenizer = RandomTokenizer(49408)
    seen = {token for ids in tokenizer(table["caption"])["input_ids"] for token in ids}
    assert seen == set(range(1, 49408))
    assert table["pid"].nunique() == 5


class Line(nn.Module):
    """Two linear maps, in the place of a step."""

    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Linear(6, 5, bias=False), nn.Linear(5, 3, bias=False)
        self.model = self
        self.optimiser = SimpleNamespace(zero_grad=self.zero_grad)

    def objective(self, batch):
        return self.second(self.first(batch["images"]).relu()).sum()


def test_flops_of_two_linear_maps_by_hand():
    # Forward twice 6 x 5 and 5 x 3; backward the weights of both, and the input of the second.
    assert flops_per_sample(Line(), {"images": torch.ones(7, 6)}) == 2 * (2 * 30 + 3 * 15)


def test_kept_bytes_of_two_linear_maps_by_hand():
    # The input of each map, the second of which is also what the rectifier keeps.
    assert kept_bytes(Line(), {"images": torch.ones(7, 6)}) == 7 * (6 + 5) * 4


@pytest.mark.parametrize("system", SYSTEMS)
def test_parts_hold_every_parameter_once(system):
    step, _ = step_of(system)
    parts = parameters_by_part(step.model)
    assert sum(parts.values()) == sum(p.numel() for p in step.model.parameters())
    inner = getattr(step.model, "retrieval", step.model)
    assert parts["vision"] == sum(p.numel() for p in inner.vision.parameters())


def test_tokens_of_each_stack_by_hand():
    step, batch = step_of("phase4")
    words, patches = batch["caption_ids_t5"].shape[1], 8
    visible = int((~batch["masked_patches"]).sum(1).max())
    queries = int(batch["vq_target_attn_mask"].sum(1).max())
    assert tokens_by_stack(step, batch) == {
        "vision, layers: 2": patches + visible,
        "encoder, layers: 2": patches + words + (words + visible),
        "generator, layers: 1": queries,
    }
    step, batch = step_of("irra")
    words = batch["caption_ids"].shape[1]
    tokens = tokens_by_stack(step, batch)
    assert tokens["vision, layers: 2"] == 1 + patches
    assert tokens["mlm, layers: 1"] == words


def test_checkpointed_activations_show_in_the_plan():
    step, batch = step_of("phase2")
    before = kept_bytes(step, batch)
    recompute_activations(step.model)
    assert kept_bytes(step, batch) < 0.6 * before


@pytest.mark.parametrize("system", SYSTEMS)
def test_plan_of_each_system(system):
    params = tiny_params()
    plan = plan_system(system, params, CPU)
    assert plan.measured_samples == 4
    assert plan.weight_bytes == 4 * sum(plan.parameters.values())
    assert plan.optimiser_bytes == pytest.approx(2 * plan.weight_bytes, rel=0.05)
    captions, _, _ = training_set(params)
    assert plan.steps_per_epoch == captions // 8
    assert plan.seconds_per_epoch == plan.seconds_per_step * plan.steps_per_epoch
    assert plan.activation_bytes > 0
    lines = plan_lines([plan, plan], params, CPU)
    assert len({len(line) for line in lines[4:] if line.endswith("  4")}) == 1
    assert any(line.startswith("  vision") for line in lines)


def test_a_branch_beside_another_system_is_planned_with_its_towers():
    alone = tiny_params()
    params = alone.model_copy(update={"generation": text_generation(beside="irra")})
    expected = plan_system("irra", alone, CPU).parameters
    found = plan_system("phase4", params, CPU).parameters
    assert found == expected | {"generator": found["generator"]}


def test_processes_share_the_batch_and_an_epoch_is_the_samplers():
    params = tiny_params(sampler="identity", images_per_identity=2)
    alone = plan_system("phase2", params, CPU)
    _, identities, _ = training_set(params)
    assert alone.steps_per_epoch == -(-identities // 4)
    launcher = params.launcher.model_copy(update={"processes": 2})
    shared = plan_system("phase2", params.model_copy(update={"launcher": launcher}), CPU)
    assert shared.flops_per_step == alone.flops_per_step / 2
    assert shared.steps_per_epoch == alone.steps_per_epoch
    assert shared.activation_bytes < alone.activation_bytes


def test_fewer_labels_shorten_an_epoch():
    params = tiny_params()
    captions, identities, _ = training_set(params)
    params = params.model_copy(update={"labelled_identities": identities // 2})
    assert plan_system("phase2", params, CPU).steps_per_epoch == captions // 2 // 8


def test_published_sizes_have_the_published_number_of_parameters():
    known = [
        (CLIPVisionModel, "clip vision", "openai/clip-vit-base-patch16", 86_192_640 - 393_216),
        (CLIPTextModel, "clip text", "openai/clip-vit-base-patch16", 63_165_952),
        (SiglipVisionModel, "siglip vision", "google/siglip-base-patch16-224", 92_884_224),
        (T5EncoderModel, "t5 text", "google-t5/t5-base", 109_628_544),
        (T5EncoderModel, "t5 text", "google-t5/t5-small", 35_330_816),
    ]
    for model_class, kind, name, count in known:
        with torch.device("meta"):
            model = model_class(published(kind, name))
        assert sum(parameter.numel() for parameter in model.parameters()) == count


def test_a_tower_that_is_built_from_sizes_has_no_architecture_yet():
    assert config_of(tiny_scale().towers.clip, "clip", "vision") == (None, [])


def test_pretrained_names_are_taken_at_their_published_sizes_and_said_so(monkeypatch):
    monkeypatch.setattr(hub, "HF_HUB_OFFLINE", True)
    tower = sections.vision_tower(pretrained="google/siglip-base-patch16-224")
    config, notes = config_of(tower, "siglip", "vision")
    assert config["hidden_size"] == 768
    assert notes == [
        "google/siglip-base-patch16-224: not on this machine; its published sizes are used"
    ]
    params = tiny_params()
    towers = params.preset.towers.model_copy(update={"siglip": tower})
    preset = params.preset.model_copy(update={"towers": towers})
    planned = random_system("phase3", params.model_copy(update={"preset": preset}), identities=5)
    assert planned.notes == notes
    assert not planned.task.model.vision.transformer.config.vision_use_head
    other = sections.vision_tower(pretrained="nobody/nothing")
    with pytest.raises(ValueError, match="nobody/nothing: is not on this machine"):
        config_of(other, "siglip", "vision")


def test_sizes_of_a_local_folder_are_read(tmp_path):
    config = published("clip vision", "openai/clip-vit-base-patch16")
    config.hidden_size = 96
    config.save_pretrained(tmp_path)
    found, notes = config_of(sections.vision_tower(pretrained=str(tmp_path)), "clip", "vision")
    assert found["hidden_size"] == 96
    assert not notes


@pytest.mark.parametrize(
    ("pretrained", "architecture", "name"),
    [
        ("hf-hub:timm/vit_base_patch16_clip_224.openai", None, "openai/clip-vit-base-patch16"),
        ("ViT-L-14.pt", "ViT-L-14-quickgelu", "openai/clip-vit-large-patch14"),
    ],
)
def test_clip_of_open_clip_has_the_published_sizes(pretrained, architecture, name, monkeypatch):
    monkeypatch.setattr(hub, "HF_HUB_OFFLINE", True)
    named = {"pretrained": pretrained, "architecture": architecture}
    towers = {"vision": sections.vision_tower(**named), "text": sections.clip_text_tower(**named)}
    for part, tower in towers.items():
        found, _ = config_of(tower, "clip", part)
        expected = published(f"clip {part}", name)
        assert sizes(found) == sizes(expected.to_dict())
        assert found["hidden_act"] == expected.hidden_act == "quick_gelu"


def test_siglip_of_open_clip_has_the_published_sizes(monkeypatch):
    monkeypatch.setattr(hub, "HF_HUB_OFFLINE", True)
    source = "hf-hub:timm/ViT-B-16-SigLIP2-256"
    found, notes = config_of(sections.vision_tower(pretrained=source), "siglip", "vision")
    expected = published("siglip vision", "google/siglip2-base-patch16-256").to_dict()
    assert sizes(found) == sizes(expected)
    assert found["image_size"] == expected["image_size"] == 256
    assert notes == [f"{source}: the sizes are those of open_clip's ViT-B-16-SigLIP2-256"]
    absent = sections.vision_tower(pretrained="hf-hub:nobody/nothing")
    with pytest.raises(ValueError, match="nobody/nothing: is no folder"):
        config_of(absent, "siglip", "vision")


@pytest.mark.parametrize("name", ["", OPEN_CLIP_WEIGHTS])
def test_sizes_of_a_checkpoint_of_open_clip_are_read(name, tmp_path):
    state = open_clip_model(OPEN_CLIP).state_dict()
    save_open_clip(tmp_path, OPEN_CLIP, state)
    tower = sections.vision_tower(pretrained=str(tmp_path / name))
    found, notes = config_of(tower, "clip", "vision")
    assert found["intermediate_size"] == 48
    assert not notes


@pytest.mark.parametrize("name", [OPEN_CLIP_WEIGHTS, "model.safetensors"])
def test_a_file_is_read_in_the_terms_that_training_reads_it_in(name, tmp_path):
    transformers_clip(tmp_path)
    wider = OPEN_CLIP | {"vision_cfg": OPEN_CLIP["vision_cfg"] | {"mlp_ratio": 2.0}}
    save_open_clip(tmp_path, wider, open_clip_model(wider).state_dict())
    tower = sections.vision_tower(pretrained=str(tmp_path / name), patch_size=PATCH)
    planned, _ = config_of(tower, "clip", "vision")
    size = sections.image(height=32, width=16)
    loaded = clip_vision(tower, size, "sdpa").transformer.config
    assert planned["intermediate_size"] == loaded.intermediate_size
    assert planned["intermediate_size"] == (64 if name == OPEN_CLIP_WEIGHTS else 48)


def test_a_checkpoint_of_another_kind_is_refused(tmp_path):
    transformers_clip(tmp_path)
    tower = sections.vision_tower(pretrained=str(tmp_path))
    with pytest.raises(ValueError, match="is a 'clip' model, and this tower takes 'siglip'"):
        config_of(tower, "siglip", "vision")


def test_sizes_beside_a_file_of_weights_are_read(tmp_path):
    transformers_clip(tmp_path)
    tower = sections.vision_tower(pretrained=str(tmp_path / "model.safetensors"))
    found, notes = config_of(tower, "clip", "vision")
    assert found["hidden_size"] == 32
    assert not notes


def data_set(name):
    return read_section(Dataset, ROOT / f"configs/datasets/{name}.yaml", ROOT)


def params_with(**changes):
    return load_params().model_copy(update=changes)


def test_published_training_sets_by_hand():
    known = {
        "cuhk_pedes": (68_126, 11_003),
        "identity_clothing": (68_126, 11_003),
        "rstpreid": (37_010, 3_701),
        "icfg_pedes": (round(34_674 * 2902 / 3102), 2902),  # 200 identities are for validation
    }
    for name, expected in known.items():
        params = params_with(dataset=name, data=data_set(name))
        assert training_set(params)[:2] == expected
    assert any("carved" in note for note in training_set(params)[2])


def test_a_set_of_unpublished_size_is_as_large_as_what_was_prepared(tmp_path):
    params = params_with(dataset="custom", data=data_set("custom"))
    report = tmp_path / "report.json"
    with pytest.raises(ValueError, match=r"how large 'custom' is .* `dvc repro prepare_"):
        training_set(params, report)
    train = {"images": 20, "identities": 7, "captions": 31}
    report.write_text(json.dumps({"splits": {"train": train}}))
    captions, identities, notes = training_set(params, report)
    assert (captions, identities) == (31, 7)
    assert notes == [f"custom: as large as what was prepared last ({report})"]


@pytest.mark.parametrize(("names", "columns"), [(["phase1"], 1), ([], len(SYSTEMS))])
def test_command_prints_a_table(names, columns):
    command = [sys.executable, "stages/plan.py", *names, "--samples", "2"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    rows = [line.split("  ")[0] for line in done.stdout.splitlines()]
    assert {"parameters, millions", "a step of one process, TFLOPs", "the run (estimate)"} <= set(
        rows
    )
    flops = done.stdout.split("a step of one process, TFLOPs")[1].splitlines()[0].split()
    assert len(flops) == columns
    assert np.isfinite([float(value) for value in flops]).all()


def test_command_refuses_an_unknown_system():
    command = [sys.executable, "stages/plan.py", "phase9"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "'phase9' is unknown; choose from clip_mer" in done.stderr
