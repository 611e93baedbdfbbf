"""A wrong value is one line: file, key, value, what is allowed."""

import re
import shutil
from pathlib import Path

import pytest

from ubg.params import load_params

REPOSITORY = Path(__file__).parents[1]


@pytest.fixture
def project(tmp_path):
    shutil.copy(REPOSITORY / "params.yaml", tmp_path)
    shutil.copytree(REPOSITORY / "configs", tmp_path / "configs")
    return tmp_path


def edit(path, old, new):
    text, count = re.subn(old, new, path.read_text(), count=1)
    assert count == 1, f"{old!r} is not in {path}"
    path.write_text(text)


@pytest.mark.parametrize("dataset", ["synthpedes", "cuhk_pedes"])
@pytest.mark.parametrize("scale", ["tiny", "base"])
def test_every_shipped_preset_is_valid(project, dataset, scale):
    edit(project / "params.yaml", "dataset: synthpedes", f"dataset: {dataset}")
    edit(project / "params.yaml", "scale: tiny", f"scale: {scale}")
    params = load_params(project)
    assert (params.dataset, params.scale) == (dataset, scale)


def test_scientific_notation_without_a_point_is_a_number(project):
    edit(project / "params.yaml", "gen_weight: 1.0", "gen_weight: 1e-5")
    assert load_params(project).gen_weight == 1e-5


FAULTS = [
    ("params.yaml", "seed: 1", "seed: -1", ["params.yaml: seed: -1", "greater than or equal to 0"]),
    ("params.yaml", "seed: 1", "seed: abc", ["params.yaml: seed: 'abc'", "valid integer"]),
    ("params.yaml", "seed: 1", "seed: 1.5", ["params.yaml: seed: 1.5", "valid integer"]),
    ("params.yaml", "seed: 1", "seed: true", ["params.yaml: seed: True", "valid integer"]),
    ("params.yaml", "seed: 1", "seed: 1\nsead: 1", ["params.yaml: sead: unknown key"]),
    ("params.yaml", "seed: 1", "", ["params.yaml: seed: missing"]),
    ("params.yaml", "seed: 1", "seed: 1\nseed: 2", ["'seed' is given twice"]),
    ("params.yaml", "seed: 1", "seed: [1", ["params.yaml, line"]),
    ("params.yaml", "gen_weight: 1.0", "gen_weight: .nan", ["gen_weight: nan", "finite"]),
    ("params.yaml", "scale: tiny", "scale: huge", ["scale: 'huge' has no preset", "base, tiny"]),
    ("params.yaml", "scale: tiny", "scale: ../tiny", ["scale: '../tiny' is not allowed"]),
    ("params.yaml", "dataset: synthpedes", "dataset: mars", ["cuhk_pedes, synthpedes"]),
    (
        "configs/scales/tiny.yaml",
        "name: adamw",
        "name: sgd",
        ["configs/scales/tiny.yaml: optimiser.name: 'sgd'", "'adam' or 'adamw'"],
    ),
    (
        "configs/scales/tiny.yaml",
        r"sdm: [\d.]+,",
        "sdm: 0,",
        ["configs/scales/tiny.yaml: losses.sdm: 0", "greater than 0"],
    ),
    (
        "configs/scales/tiny.yaml",
        r"\[0.02, 0.4\]",
        "[0.5, 0.4]",
        ["configs/scales/tiny.yaml: augmentation", "low <= high"],
    ),
    (
        "configs/scales/tiny.yaml",
        r"t5: \{width: 128, ",
        "t5: {",
        ["configs/scales/tiny.yaml: towers.t5", "width"],
    ),
    (
        "configs/datasets/synthpedes.yaml",
        "format: cuhk_pedes",
        "format: cuhk",
        ["configs/datasets/synthpedes.yaml: format: 'cuhk'", "'cuhk_pedes'"],
    ),
]


@pytest.mark.parametrize(("file", "old", "new", "expected"), FAULTS)
def test_fault_is_one_line_that_names_it(project, file, old, new, expected):
    edit(project / file, old, new)
    with pytest.raises(ValueError, match=r"\.yaml") as raised:
        load_params(project)
    message = str(raised.value)
    assert "\n" not in message
    for part in expected:
        assert part in message


def test_every_fault_of_a_file_is_told_at_once(project):
    edit(project / "params.yaml", "seed: 1", "seed: x\nextra: 2")
    with pytest.raises(ValueError, match=r"yaml") as raised:
        load_params(project)
    assert len(str(raised.value).splitlines()) == 2


def test_missing_and_undecodable_files_are_named(project):
    (project / "params.yaml").write_bytes(b"\xff\xfe\xfa")
    with pytest.raises(ValueError, match=r"params\.yaml: cannot be read"):
        load_params(project)
    (project / "params.yaml").unlink()
    with pytest.raises(ValueError, match=r"params\.yaml: cannot be read"):
        load_params(project)
