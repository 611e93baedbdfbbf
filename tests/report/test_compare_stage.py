import importlib.util
import json
import shutil
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def stage(tmp_path, monkeypatch):
    """`stages/compare.py`, in a copy of the tree where phase1 and phase2 have metrics."""
    for name in ("params.yaml", "configs"):
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, tmp_path / name)
    monkeypatch.chdir(tmp_path)
    one = dict.fromkeys(("r1", "r5", "r10", "map", "minp"), 50.0)
    both = {"t2i": one, "i2t": one}
    Path("metrics").mkdir()
    for system in ("phase1", "phase2"):
        value = {"test": both, "val": both, "last": {"test": both}}
        Path(f"metrics/{system}.json").write_text(json.dumps(value))
    spec = importlib.util.spec_from_file_location("compare_stage", ROOT / "stages" / "compare.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def systems_in_table():
    lines = Path("plots/compare/ablation.csv").read_text().splitlines()[1:]
    return [line.split(",")[0] for line in lines]


def test_table_and_chart_are_written_for_the_systems_named(stage):
    stage.main(["phase2", "phase1"])
    assert systems_in_table() == ["phase1", "phase2"]
    names = {path.name for path in Path("plots/compare").iterdir()}
    assert names == {"ablation.md", "ablation.csv", "ablation.png"}
    assert "SynthPEDES (synthetic)" in Path("plots/compare/ablation.md").read_text()


def test_metrics_left_in_the_folder_are_not_shown(stage):
    stage.main(["phase1"])
    assert systems_in_table() == ["phase1"]


def test_a_fault_leaves_the_earlier_table_alone(stage):
    stage.main(["phase1"])
    before = Path("plots/compare/ablation.md").read_text()
    Path("metrics/phase2.json").write_text("{")
    with pytest.raises(ValueError, match=r"metrics/phase2\.json"):
        stage.main(["phase1", "phase2"])
    assert Path("plots/compare/ablation.md").read_text() == before
    assert [path.name for path in Path("plots").iterdir()] == ["compare"]
