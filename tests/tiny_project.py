"""A project of the repository's code on a miniature, small enough to be trained in seconds."""

import re
import shutil
from pathlib import Path

from conftest import write_cuhk_miniature

REPOSITORY = Path(__file__).parents[1]
EPOCHS, ACCUMULATE = r"epochs: \d+\n  batch_size: 64", "accumulate: 1"
TINY = "configs/scales/tiny.yaml"
# By file: what is replaced, and by what. A checkpoint is written at every step.
CHANGES = {
    "params.yaml": {r"clusters: \d+": "clusters: 6"},
    TINY: {
        "vocab_size: 1000": "vocab_size: 80",
        "dropout: 0.0": "dropout: 0.2",
        r"(compile: false\n  checkpoint_seconds:) 30": r"\1 0",
        r" codes: \d+": " codes: 16",
        r" steps: \d+": " steps: 6",
        r" lr_warmup_steps: \d+": " lr_warmup_steps: 2",
        r" warmup_steps: \d+": " warmup_steps: 3",
    },
}
CUHK = {
    "params.yaml": {"dataset: synthpedes": "dataset: cuhk_pedes"},
    "configs/datasets/cuhk_pedes.yaml": {"other_counts: false": "other_counts: true"},
}
DRAWN = {
    f"configs/datasets/{name}.yaml": {
        r"train_identities: \d+": "train_identities: 8",
        r"val_identities: \d+": "val_identities: 3",
        r"test_identities: \d+": "test_identities: 3",
        r" persons: \d+": " persons: 4",
    }
    for name in ("synthpedes", "synthpedes_outfits")
}


def write_project(project: Path, scale: dict[str, str]) -> None:
    """Write code, presets and images to `project`; `scale` is replaced in its preset too."""
    write_code(project, CUHK, scale)
    write_cuhk_miniature(project / "data/raw/cuhk_pedes")


def write_code(project: Path, dataset: dict[str, dict[str, str]], scale: dict[str, str]) -> None:
    """Write code and presets, of `CUHK` or of the data that the pipeline draws (`DRAWN`)."""
    for name in ("stages", "configs", "src"):
        shutil.copytree(REPOSITORY / name, project / name)
    for name in ("params.yaml", "dvc.yaml"):
        shutil.copy(REPOSITORY / name, project)
    for changes in (CHANGES, dataset, {TINY: scale}):
        for name, patterns in changes.items():
            text = (project / name).read_text()
            for old, new in patterns.items():
                text, count = re.subn(old, new, text)
                assert count, old
            (project / name).write_text(text)
