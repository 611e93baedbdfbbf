"""Pretrained on one drawn data set, measured on another unseen, and fine-tuned there."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import sections

from ubg.synthpedes.generate import generate

REPOSITORY = Path(__file__).parents[2]
PEOPLE = {"train_identities": 12, "val_identities": 4, "test_identities": 5}


@pytest.fixture(scope="module")
def project(tmp_path_factory) -> Path:
    """Two draws of pedestrians: one in use, the other under the name of a data set of that form."""
    project = tmp_path_factory.mktemp("initial")
    for name in ("stages", "configs", "src"):
        shutil.copytree(REPOSITORY / name, project / name)
    for name in ("params.yaml", "dvc.yaml"):
        shutil.copy(REPOSITORY / name, project)
    scale = project / "configs/scales/tiny.yaml"
    edit(scale, r"epochs: \d+\n  batch_size: 64", "epochs: 1\n  batch_size: 16")
    edit(scale, "vocab_size: 1000", "vocab_size: 100")
    edit(project / "configs/datasets/cuhk_pedes.yaml", "other_counts: false", "other_counts: true")
    for seed, name in enumerate(("synthpedes", "cuhk_pedes"), 1):
        more = {"train_identities": 12 + 2 * seed, "images_per_identity": 2, "seed": seed}
        generate(sections.synthpedes(**PEOPLE | more), project / "data/raw" / name)
    return project


def edit(path: Path, old: str, new: str) -> None:
    text, count = re.subn(old, new, path.read_text(), count=1)
    assert count == 1, f"{old!r} is not in {path}"
    path.write_text(text)


def stage(project: Path, script: str, *arguments: str, status: int = 0) -> str:
    done = subprocess.run(
        [sys.executable, f"stages/{script}.py", *arguments],
        cwd=project,
        env=os.environ | {"PYTHONPATH": "src"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout + done.stderr


def prepare(project: Path) -> None:
    for script in ("prepare_annotations", "pack_images", "fit_tokenizer"):
        stage(project, script)


def test_pretrained_on_one_data_set_and_fine_tuned_on_another(project):
    prepare(project)
    for system in ("irra", "phase2"):
        stage(project, "train", system)
    stage(project, "prepare_other", "cuhk_pedes")
    stage(project, "evaluate_on", "irra", "cuhk_pedes")
    unseen = json.loads((project / "metrics/others/irra_cuhk_pedes.json").read_text())
    assert 0 <= unseen["test"]["t2i"]["r1"] <= 100
    (project / "models").rename(project / "pretrained")

    params = project / "params.yaml"
    edit(params, "dataset: synthpedes", "dataset: cuhk_pedes")
    edit(params, "initial_weights: null", "initial_weights: pretrained/irra")
    prepare(project)
    told = stage(project, "train", "irra")
    assert "starting from pretrained/irra/model.safetensors" in told
    assert re.search("at random, as it is not in there: objective.classifier, objective.mlm", told)
    assert (project / "models/irra/model.safetensors").exists()

    edit(params, "initial_weights: pretrained/irra", "initial_weights: pretrained/phase2")
    preset = project / "configs/scales/tiny.yaml"
    refused = stage(project, "train", "phase2", status=1)
    assert "set tokenizer.pretrained to pretrained/phase2/tokenizer" in refused
    tokenizer = "pretrained: pretrained/phase2/tokenizer, vocab_size: null"
    edit(preset, "pretrained: null, vocab_size: 100", tokenizer)
    stage(project, "fit_tokenizer")
    assert "starting from pretrained/phase2/model.safetensors" in stage(project, "train", "phase2")
