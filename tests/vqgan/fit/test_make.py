"""The real stage: killed it goes on as if it had not been, and a fault overwrites nothing."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from conftest import write_cuhk_miniature
from PIL import Image

from ubg.data.images.image_pack import ImagePack
from ubg.data.prepared import PREPARED, load_prepared
from ubg.params import load_params
from ubg.runtime.locks import locked
from ubg.training.labelled import with_labels
from ubg.vqgan.fit import make
from ubg.vqgan.fit.make import make_vqgan
from ubg.vqgan.model.folder import load_vqgan
from ubg.vqgan.model.taming import read_config
from ubg.vqgan.model.vqgan import VQGAN, to_signed

REPOSITORY = Path(__file__).parents[3]
FIT = {
    "codes": 8,
    "code_dim": 4,
    "channels": 32,
    "multipliers": [1, 1],
    "blocks": 1,
    "patch": 8,
    "seed": 0,
    "identities": None,
    "steps": 12,
    "batch_size": 4,
    "lr": 1e-3,
    "lr_warmup_steps": 2,
    "warmup_steps": 4,
    "commitment": 0.25,
    "revive_every": 3,
    "precision": "bf16",
    "discriminator": {"weight": 0.1, "start_step": 7, "channels": 8, "layers": 1},
    "perceptual": None,
    "checkpoint_seconds": 0,
}


def start(project: Path, name: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, REPOSITORY / "stages" / name],
        cwd=project,
        env=os.environ | {"PYTHONPATH": str(REPOSITORY / "src"), "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def run(project: Path, name: str = "fit_vqgan.py") -> tuple[int, str]:
    process = start(project, name)
    output, _ = process.communicate(timeout=120)
    return process.returncode, output


def choose(project: Path, vqgan: dict) -> None:
    path = project / "configs/scales/tiny.yaml"
    section = {"pretrained": None, "config": None, "fit": None} | vqgan
    path.write_text(yaml.safe_dump(yaml.safe_load(path.read_text()) | {"vqgan": section}))


@pytest.fixture(scope="module")
def project(tmp_path_factory) -> Path:
    project = tmp_path_factory.mktemp("vqgan")
    shutil.copytree(REPOSITORY / "configs", project / "configs")
    shutil.copy(REPOSITORY / "dvc.yaml", project)
    params = (REPOSITORY / "params.yaml").read_text()
    (project / "params.yaml").write_text(params.replace("synthpedes", "cuhk_pedes", 1))
    preset = project / "configs/datasets/cuhk_pedes.yaml"
    preset.write_text(preset.read_text().replace("other_counts: false", "other_counts: true"))
    scale = project / "configs/scales/tiny.yaml"
    scale.write_text(scale.read_text().replace("\n  batch_size: 64", "\n  batch_size: 8", 1))
    write_cuhk_miniature(project / "data/raw/cuhk_pedes")
    for name in ("prepare_annotations.py", "pack_images.py"):
        assert run(project, name)[0] == 0
    return project


def results(project: Path) -> dict[str, bytes]:
    found = {
        str(path.relative_to(project)): path.read_bytes()
        for folder in ("models", "plots/vqgan", "metrics")
        for path in sorted((project / folder).rglob("*"))
        if path.is_file()
    }
    for folder in ("models", "plots/vqgan", "metrics"):
        shutil.rmtree(project / folder)
    return found


def test_killed_and_rerun_equals_uninterrupted(project):
    choose(project, {"fit": FIT})
    status, output = run(project)
    assert status == 0, output
    assert "results in models/vqgan" in output
    assert not list((project / "checkpoints").iterdir())
    metrics = json.loads((project / "metrics/vqgan.json").read_text())
    assert metrics.keys() == {"psnr", "perplexity", "used_codes", "codes"}
    with Image.open(project / "plots/vqgan/reconstructions.png") as picture:
        assert picture.width > 9 * 64
    pack = ImagePack(project / "data/images")
    images = to_signed(torch.from_numpy(pack.read(np.arange(2))).permute(0, 3, 1, 2))
    assert load_vqgan(project / "models/vqgan").encode(images).shape == (2, 12, 4)
    expected = results(project)
    assert len(expected) == 6

    process = start(project, "fit_vqgan.py")
    seen: set[int] = set()
    while len(seen) < 3 and process.poll() is None:
        seen |= {p.stat().st_mtime_ns for p in (project / "checkpoints").glob("*/state.pt")}
        time.sleep(0.0005)
    assert process.poll() is None, process.communicate()[0]
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert not (project / "models").exists()
    (folder,) = (project / "checkpoints").glob("vqgan-*")
    with locked(folder):  # two at the same time, of which one goes on and both have the result
        both = [start(project, "fit_vqgan.py") for _ in range(2)]
        for process in both:
            assert any(f"process {os.getpid()} on " in line for line in process.stdout)
    for process in both:
        output, _ = process.communicate(timeout=120)
        assert process.returncode == 0, output
        assert "resuming from" in output
    assert results(project) == expected
    assert not list((project / "checkpoints").iterdir())


def test_it_sees_the_images_of_so_many_identities_alone(project, monkeypatch):
    choose(project, {"fit": FIT | {"identities": 2}})
    monkeypatch.chdir(project)
    seen = []

    def fit(model, read, count, *_):
        seen.extend(read(np.arange(count)))

    monkeypatch.setattr(make, "fit", fit)
    make_vqgan(load_params())
    results(project)
    kept = with_labels(load_prepared(PREPARED), 2).query("split == 'train'")
    assert kept["pid"].nunique() == 2
    pack = ImagePack(Path("data/images"))
    np.testing.assert_array_equal(seen, pack.read(pack.row_of(kept["image_id"].unique())))

    choose(project, {"fit": FIT | {"identities": 1000}})
    with pytest.raises(ValueError, match=r"^vqgan\.fit\.identities: 1000 is more than the \d+ ide"):
        make_vqgan(load_params())


def published(project: Path) -> dict:
    sizes = {
        "double_z": False,
        "z_channels": 8,
        "resolution": 64,
        "in_channels": 3,
        "out_ch": 3,
        "ch": 32,
        "ch_mult": [1, 1, 1, 1, 1],
        "num_res_blocks": 1,
        "attn_resolutions": [],
    }
    model = {
        "target": "taming.models.vqgan.VQModel",
        "params": {"embed_dim": 8, "n_embed": 32, "ddconfig": sizes},
    }
    (project / "model.yaml").write_text(yaml.safe_dump({"model": model}))
    weights = VQGAN(read_config(project / "model.yaml")).state_dict()
    torch.save({"state_dict": weights | {"loss.logvar": torch.zeros(1)}}, project / "last.ckpt")
    return weights


def test_a_published_checkpoint_is_converted_and_a_bad_one_overwrites_nothing(project, monkeypatch):
    weights = published(project)
    choose(project, {"pretrained": "last.ckpt", "config": "model.yaml"})
    monkeypatch.chdir(project)
    make_vqgan(load_params())
    loaded = load_vqgan("models/vqgan").state_dict()
    assert all(torch.equal(loaded[name], weights[name]) for name in weights)
    assert json.loads(Path("metrics/vqgan.json").read_text())["codes"] == 32

    path = project / "last.ckpt"
    path.write_bytes(path.read_bytes()[:-1000])
    before = {p: p.read_bytes() for p in Path("models").rglob("*") if p.is_file()}
    with pytest.raises(ValueError, match=r"^last\.ckpt: [^\n]*$"):
        make_vqgan(load_params())
    assert {p: p.read_bytes() for p in Path("models").rglob("*") if p.is_file()} == before
