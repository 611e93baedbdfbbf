"""A project of the repository's code on a miniature, small enough to be trained in seconds."""

import re
import shutil
from pathlib import Path

from conftest import write_cuhk_miniature

REPOSITORY = Path(__file__).parents[1]
EPOCHS, ACCUMULATE = r"epochs: \d+\n  batch_size: 64", "accumulate: 1"
# By file: what is replaced, and by what. A checkpoint is written at every step.
CHANGES = {
    "params.yaml": {
        "dataset: synthpedes": "dataset: cuhk_pedes",
        r"clusters: \d+": "clusters: 6",
    },
    "configs/datasets/cuhk_pedes.yaml": {"other_counts: false": "other_counts: true"},
    "configs/scales/tiny.yaml": {
        "vocab_size: 1000": "vocab_size: 80",
        "dropout: 0.0": "dropout: 0.2",
        r"(compile: false\n  checkpoint_seconds:) 30": r"\1 0",
        r" codes: \d+": " codes: 16",
        r" steps: \d+": " steps: 6",
        r" lr_warmup_steps: \d+": " lr_warmup_steps: 2",
        r" warmup_steps: \d+": " warmup_steps: 3",
    },
}


def write_project(project: Path, scale: dict[str, str]) -> None:
    """Write code, presets and images to `project`; `scale` is replaced in its preset too."""
    for name in ("stages", "configs", "src"):
        shutil.copytree(REPOSITORY / name, project / name)
    for name in ("params.yaml", "dvc.yaml"):
        shutil.copy(REPOSITORY / name, project)
    tiny = "configs/scales/tiny.yaml"
    for name, patterns in (CHANGES | {tiny: CHANGES[tiny] | scale}).items():
        text = (project / name).read_text()
        for old, new in patterns.items():
            text, count = re.subn(old, new, text)
            assert count == 1, old
        (project / name).write_text(text)
    write_cuhk_miniature(project / "data/raw/cuhk_pedes")
