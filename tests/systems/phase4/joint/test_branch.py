"""The branch of masked images, written and read back."""

import json

import pytest
import torch
from safetensors.torch import save_model
from tiny_models import (
    CODES,
    PATCHES,
    build_phase4,
    full_batch,
    network_of,
    tiny_generation,
    tiny_scale,
)

from ubg.systems.phase4 import folder as module
from ubg.systems.phase4.folder import read_generation, write_generator
from ubg.systems.phase4.joint import branch
from ubg.systems.phase4.joint.branch import load_joint

SIZES = {"codes": CODES, "length": PATCHES}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    for place in (module, branch):
        monkeypatch.setattr(place, "GENERATOR", tmp_path / "generator")
    return tmp_path / "generator"


def test_written_generator_predicts_the_same(folder, tmp_path):
    scale, generation = tiny_scale(), tiny_generation(reveal=0.5)
    model = build_phase4(scale, generation, seed=3).eval()
    save_model(model.generator, str(tmp_path / "generator.safetensors"))
    write_generator(generation, SIZES, tmp_path)
    assert {path.name for path in folder.iterdir()} == {"config.json", "generator.safetensors"}

    assert read_generation(folder)[0] == generation
    loaded = load_joint(model.retrieval, network_of("phase4", scale))
    batch = full_batch(generation)
    expected = model.generator(model.retrieval, batch).logits_PV
    assert torch.equal(loaded.generator(loaded.retrieval, batch).logits_PV, expected)


def test_a_branch_that_was_off_leaves_its_config_alone(folder, tmp_path):
    off = tiny_generation(enable_gen=False)
    write_generator(off, None, tmp_path)
    assert [path.name for path in folder.iterdir()] == ["config.json"]
    assert not read_generation(folder)[0].enable_gen


@pytest.mark.parametrize("fault", ["no folder", "no weights", "other sizes", "broken", "no codes"])
def test_generator_that_does_not_fit_is_one_line(folder, tmp_path, fault):
    scale, generation = tiny_scale(), tiny_generation()
    model = build_phase4(scale, generation)
    save_model(model.generator, str(tmp_path / "generator.safetensors"))
    if fault != "no folder":
        write_generator(generation, SIZES, tmp_path)
    config = folder / "config.json"
    if fault == "no weights":
        (folder / "generator.safetensors").unlink()
    elif fault == "broken":
        (folder / "generator.safetensors").write_bytes(b"not safetensors")
    elif fault == "other sizes":
        config.write_text(json.dumps(json.loads(config.read_text()) | {"codes": CODES + 1}))
    elif fault == "no codes":
        config.write_text(json.dumps({"generation": generation.model_dump(mode="json")}))
    with pytest.raises(ValueError, match="dvc repro train_phase4") as caught:
        load_joint(model.retrieval, network_of("phase4", scale))
    assert len(str(caught.value).splitlines()) == 1
