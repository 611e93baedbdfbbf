import csv
import importlib.util
import json
import shutil
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
QUERIES = """caption_id,image_id,pid,first_rank,average_precision,inp
0,0,0,1,1.000000,1.000000
1,1,1,3,0.333333,0.333333
"""

FOILS = """kind,person,image_to_text,text_to_image,group,paraphrase,twin_r1
hat,0,1,1,1,1,1
binding,1,1,0,0,1,1
"""


@pytest.fixture
def stage(tmp_path, monkeypatch):
    """`stages/compare.py`, in a copy of the tree where phase1 and phase2 have metrics."""
    for name in ("params.yaml", "configs"):
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, tmp_path / name)
    monkeypatch.chdir(tmp_path)
    one = {"r1": 50.0, "r5": 100.0, "r10": 100.0, "map": 66.667, "minp": 66.667}
    both = {"t2i": one, "i2t": one}
    Path("metrics").mkdir()
    for system in ("phase1", "phase2"):
        value = {"test": both, "val": both, "last": {"test": both}}
        Path(f"metrics/{system}.json").write_text(json.dumps(value))
        Path(f"plots/{system}/evaluation").mkdir(parents=True)
        Path(f"plots/{system}/evaluation/queries.csv").write_text(QUERIES)
        Path(f"plots/{system}/evaluation/foils.csv").write_text(FOILS)
        curves = Path(f"plots/{system}/training/plots/metrics")
        curves.mkdir(parents=True)
        (curves / "val_r1.tsv").write_text("step\tval_r1\n1\t20.0\n2\t50.0\n3\t50.0\n")
    spec = importlib.util.spec_from_file_location("compare_stage", ROOT / "stages" / "compare.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def systems_in_table():
    with Path("plots/compare/ablation.csv").open(newline="") as file:
        return [row["system"] for row in csv.DictReader(file)]


def test_table_and_chart_are_written_for_the_systems_named(stage):
    stage.main(["phase2", "phase1"])
    assert systems_in_table() == ["phase1", "phase2"]
    names = {path.name for path in Path("plots/compare").iterdir()}
    ablation = {"ablation.md", "ablation.csv", "ablation.png", "differences.png"}
    assert names == ablation | {"foils.md", "foils.png", "foils_by_kind.csv", "learning.png"}
    assert "SynthPEDES (synthetic)" in Path("plots/compare/ablation.md").read_text()


def test_a_second_score_is_read_where_the_metrics_have_one(stage):
    value = json.loads(Path("metrics/phase2.json").read_text())
    folder = Path("plots/phase4/evaluation")
    folder.mkdir(parents=True)
    (folder / "queries.csv").write_text(QUERIES)
    (folder / "foils.csv").write_text(FOILS)
    (folder / "queries_generative.csv").write_text(QUERIES.replace("1,1,1,3", "1,1,1,1"))
    by_both = value["test"]["t2i"] | {"r1": 100.0}
    value["test"] |= {f"{name}_generative": by_both for name in ("t2i", "i2t")}
    Path("metrics/phase4.json").write_text(json.dumps(value))
    stage.main(["phase2", "phase4"])
    assert systems_in_table() == ["phase2", "phase4", "phase4, both scores"]
    (folder / "queries_generative.csv").unlink()
    with pytest.raises(ValueError, match=r"queries_generative\.csv: missing"):
        stage.main(["phase2", "phase4"])


@pytest.mark.parametrize(("metric", "shown"), [("r1", "R@1"), ("map", "mAP")])
def test_results_of_two_evaluations_are_not_mixed(stage, metric, shown):
    value = json.loads(Path("metrics/phase2.json").read_text())
    before = value["test"]["t2i"][metric]
    value["test"]["t2i"][metric] = before + 0.1
    Path("metrics/phase2.json").write_text(json.dumps(value))
    message = (
        rf"^plots/phase2/evaluation/queries\.csv and metrics/phase2\.json are of two evaluations: "
        rf"{shown} is {before:.3f} in one and {before + 0.1:.3f} in the other; run `dvc repro eval"
    )
    with pytest.raises(ValueError, match=message):
        stage.main(["phase1", "phase2"])


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
    names = {path.name for path in Path("plots").iterdir()}
    assert names == {"compare", "phase1", "phase2"}


def test_systems_evaluated_on_other_queries_are_one_clear_error(stage):
    path = Path("plots/phase2/evaluation/queries.csv")
    path.write_text(QUERIES.replace("1,1,1", "1,1,2"))
    with pytest.raises(ValueError, match=r"phase2 and phase1 hold other queries \(line 3 "):
        stage.main(["phase1", "phase2"])
    path.unlink()
    with pytest.raises(ValueError, match=r"phase2/evaluation/queries\.csv: missing"):
        stage.main(["phase1", "phase2"])
