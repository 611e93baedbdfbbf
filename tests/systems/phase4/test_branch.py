"""The branch of a run: its weight over time, what is written of it, and what is refused."""

import json
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import save_model
from tiny_models import (
    CODES,
    PATCHES,
    MemoryTokens,
    build_phase3,
    build_phase4,
    full_batch,
    network_of,
    targets_of,
    tiny_generation,
    tiny_scale,
)

from ubg.systems.phase4 import branch as module
from ubg.systems.phase4.branch import (
    gen_loss_weight,
    load_generative,
    training_ids,
    write_generator,
)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "GENERATOR", tmp_path / "generator")
    return tmp_path / "generator"


def test_weight_rises_linearly_and_stays():
    found = [gen_loss_weight(2.0, 2.0, epochs)["gen_loss"] for epochs in (0, 0.5, 1, 2, 7)]
    assert found == [0.0, 0.5, 1.0, 2.0, 2.0]
    assert gen_loss_weight(2.0, 0.0, 0) == {"gen_loss": 2.0}


def test_written_generator_predicts_the_same(folder, tmp_path):
    scale, generation = tiny_scale(), tiny_generation(reveal=0.5)
    model = build_phase4(scale, generation, seed=3).eval()
    save_model(model.generator, str(tmp_path / "generator.safetensors"))
    write_generator(generation, targets_of(generation).tokens, tmp_path)

    loaded, read = load_generative(model.retrieval, network_of("phase4", scale))
    assert read == generation
    batch = full_batch(generation)
    expected = model.generator(model.retrieval, batch).logits_PV
    assert torch.equal(loaded.generator(loaded.retrieval, batch).logits_PV, expected)


def test_a_branch_that_was_off_leaves_its_config_alone(folder, tmp_path):
    off = tiny_generation(enable_gen=False)
    write_generator(off, None, tmp_path)
    assert [path.name for path in folder.iterdir()] == ["config.json"]
    scale = tiny_scale()
    assert load_generative(build_phase3(scale), network_of("phase4", scale)) is None


@pytest.mark.parametrize("fault", ["no folder", "no weights", "other sizes", "broken", "no codes"])
def test_generator_that_does_not_fit_is_one_line(folder, tmp_path, fault):
    scale, generation = tiny_scale(), tiny_generation()
    model = build_phase4(scale, generation)
    save_model(model.generator, str(tmp_path / "generator.safetensors"))
    if fault != "no folder":
        write_generator(generation, targets_of(generation).tokens, tmp_path)
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
        load_generative(model.retrieval, network_of("phase4", scale))
    assert len(str(caught.value).splitlines()) == 1


def test_training_ids_are_those_of_both_sides_of_training_images():
    tokens = MemoryTokens(5)
    table = pd.DataFrame({"split": ["train", "train", "val", "train"], "image_id": [3, 3, 1, 0]})
    expected = np.concatenate([tokens.ids_N2L[[0, 3], 0], tokens.ids_N2L[[0, 3], 1]])
    np.testing.assert_array_equal(training_ids(tokens, table), expected)
    assert expected.shape == (4, PATCHES)


def test_codes_of_another_vqgan_are_refused(tmp_path, monkeypatch):
    from ubg.vqgan.codes.store import Origin, write_vq_tokens

    path = tmp_path / "vq_tokens.h5"
    origin = Origin(
        codes=CODES,
        rows=4,
        columns=2,
        height=64,
        width=32,
        vqgan="then",
        image_pack="pack",
        precision="fp32",
        changed_share=0.0,
    )
    write_vq_tokens(path, MemoryTokens(3).ids_N2L, np.arange(3), origin)
    monkeypatch.setattr(module, "VQ_TOKENS", path)
    monkeypatch.setattr(module, "vqgan_fingerprint", lambda folder: "now")
    pack = SimpleNamespace(fingerprint="pack", height=64, width=32)
    with pytest.raises(ValueError, match=r"another VQGAN \(then, now now\)"):
        module.open_tokens(pack)
    monkeypatch.setattr(module, "vqgan_fingerprint", lambda folder: "then")
    assert len(module.open_tokens(pack)) == 3
