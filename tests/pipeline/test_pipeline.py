"""The real dvc.yaml on a few pedestrians: it runs, is cached, and reruns only what must be."""

import json
import math
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from miniatures import write_rstpreid

REPOSITORY = Path(__file__).parents[2]
SHRUNK = {
    "configs/datasets/synthpedes.yaml": {
        r"train_identities: \d+": "train_identities: 24",
        r"val_identities: \d+": "val_identities: 6",
        r"test_identities: \d+": "test_identities: 8",
    },
    "configs/scales/tiny.yaml": {
        r"epochs: \d+\n  batch_size: 64": "epochs: 2\n  batch_size: 16",
        r" steps: \d+": " steps: 12",
        r" lr_warmup_steps: \d+": " lr_warmup_steps: 2",
        r" warmup_steps: \d+": " warmup_steps: 6",
        r" codes: \d+": " codes: 32",
    },
}
SYSTEMS = ["irra", "phase1", "phase2", "phase3", "phase4"]


def run(project: Path, *command: str) -> str:
    environment = os.environ | {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "GIT_AUTHOR_NAME": "a",
        "GIT_AUTHOR_EMAIL": "a@example.org",
        "GIT_COMMITTER_NAME": "a",
        "GIT_COMMITTER_EMAIL": "a@example.org",
    }
    done = subprocess.run(
        command, cwd=project, env=environment, capture_output=True, text=True, timeout=900
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout + done.stderr


def stages_run(output: str) -> set[str]:
    return set(re.findall(r"Running stage '([^']+)'", output))


def edit(path: Path, old: str, new: str) -> None:
    text, count = re.subn(old, new, path.read_text(), count=1)
    assert count == 1, f"{old!r} is not in {path}"
    path.write_text(text)


@pytest.fixture(scope="module")
def project(tmp_path_factory) -> Path:
    """A copy of the tracked files as a repository of its own, shrunk and reproduced once."""
    copy = tmp_path_factory.mktemp("project")
    tracked = subprocess.run(
        ["git", "ls-files", "-z"], cwd=REPOSITORY, capture_output=True, text=True, check=True
    )
    for name in filter(None, tracked.stdout.split("\0")):
        if (REPOSITORY / name).is_file() and name != "dvc.lock":
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(REPOSITORY / name, copy / name)
    for name, changes in SHRUNK.items():
        for old, new in changes.items():
            edit(copy / name, old, new)
    run(copy, "git", "init", "-q")
    run(copy, "git", "add", "-A")
    run(copy, "git", "commit", "-q", "-m", "start")
    assert "train_phase4" in stages_run(run(copy, "dvc", "repro"))
    run(copy, "git", "add", "-A")
    run(copy, "git", "commit", "-q", "-m", "reproduced")
    return copy


@pytest.mark.parametrize("system", SYSTEMS)
def test_metrics_are_finite_percentages_and_figures_are_there(project, system):
    metrics = json.loads((project / "metrics" / f"{system}.json").read_text())
    for measured in (metrics, metrics["last"]):
        for split in ("test", "val"):
            for direction in ("t2i", "i2t"):
                values = measured[split][direction]
                assert set(values) == {"r1", "r5", "r10", "map", "minp"}
                assert all(math.isfinite(v) and 0 <= v <= 100 for v in values.values())
    figures = {path.name for path in (project / "plots" / system / "evaluation").iterdir()}
    assert figures >= {"cmc.png", "cmc.json", "similarities.png", "best_queries.png"}
    assert (project / "plots" / system / "training/plots/metrics/val_r1.tsv").read_text()


def test_nothing_is_left_to_do(project):
    assert "up to date" in run(project, "dvc", "status")
    assert stages_run(run(project, "dvc", "repro")) == set()


def test_comparison_has_a_row_per_system(project):
    table = (project / "plots/compare/ablation.md").read_text()
    assert "synthetic: yes" in table
    first_cells = [line.split("|")[1].strip() for line in table.splitlines() if line.count("|") > 2]
    assert [cell for cell in first_cells if cell in SYSTEMS] == SYSTEMS


def test_generation_is_measured_beside_its_floors_and_drawn(project):
    generation = json.loads((project / "metrics/phase4.json").read_text())["generation"]
    for name in ("ce", "unigram_ce", "position_unigram_ce"):
        assert 0 < generation[name] < 100
    low, high = generation["shuffled_caption_gap_low"], generation["shuffled_caption_gap_high"]
    assert low <= generation["shuffled_caption_gap"] <= high
    assert generation["by_mask_ratio"]
    drawn = {path.name for path in (project / "plots/phase4/generation").iterdir()}
    assert drawn == {"predictions.png", "from_captions.png"}


def test_retrieval_model_of_phase4_holds_no_decoder(project):
    from safetensors import safe_open

    with safe_open(project / "models/phase4/model.safetensors", "pt") as file:
        names = set(file.keys())
    with safe_open(project / "models/phase3/model.safetensors", "pt") as file:
        assert names == set(file.keys())


def test_changed_knob_reruns_only_what_depends_on_it_and_going_back_restores(project):
    scale = project / "configs/scales/tiny.yaml"
    before = (project / "metrics/phase4.json").read_text()
    edit(scale, r"evaluation: \{batch_size: \d+", "evaluation: {batch_size: 7")
    assert stages_run(run(project, "dvc", "repro")) == {f"evaluate_{name}" for name in SYSTEMS}
    run(project, "git", "checkout", str(scale))
    assert stages_run(run(project, "dvc", "repro")) == set()

    edit(project / "params.yaml", r"gen_weight: \S+", "gen_weight: 0.5")
    changed = {"train_phase4", "evaluate_phase4", "compare"}
    assert stages_run(run(project, "dvc", "repro")) == changed
    run(project, "git", "checkout", "params.yaml")

    edit(scale, r"(clip:\n(    .*\n)+?)    width: 128", r"\1    width: 96")
    changed = {"train_irra", "evaluate_irra", "train_phase1", "evaluate_phase1", "compare"}
    assert stages_run(run(project, "dvc", "repro")) == changed
    run(project, "git", "checkout", str(scale))

    edit(scale, "mlm: [0-9.]+", "mlm: 0.01")
    changed = {"train_irra", "evaluate_irra", "compare"}
    assert stages_run(run(project, "dvc", "repro")) == changed
    run(project, "git", "checkout", str(scale))
    assert stages_run(run(project, "dvc", "repro")) == set()
    assert (project / "metrics/phase4.json").read_text() == before
    assert "up to date" in run(project, "dvc", "status")


def test_number_of_processes_is_followed_by_the_training_stages(project):
    edit(project / "params.yaml", "processes: 1", "processes: 2")
    (changed,) = re.findall(r"^\{.*\}$", run(project, "dvc", "status", "--json"), re.MULTILINE)
    run(project, "git", "checkout", "params.yaml")
    assert json.loads(changed).keys() == {f"train_{name}" for name in SYSTEMS}


def test_every_other_data_set_has_stages_of_its_own(project):
    write_rstpreid(project / "data/raw/rstpreid")
    edit(project / "configs/datasets/rstpreid.yaml", "other_counts: false", "other_counts: true")
    edit(project / "params.yaml", r"evaluate_on: \[\]", "evaluate_on: [rstpreid]")
    listed = run(project, "dvc", "stage", "list", "--name-only").split()
    others = {name for name in listed if "@" in name}
    evaluations = {f"evaluate_{name}_on@rstpreid" for name in SYSTEMS}
    assert others == {"prepare_other@rstpreid", *evaluations, "compare_other@rstpreid"}
    one = "evaluate_phase2_on@rstpreid"
    assert stages_run(run(project, "dvc", "repro", one)) == {"prepare_other@rstpreid", one}
    assert stages_run(run(project, "dvc", "repro", one)) == set()
    assert "others/phase2_rstpreid.json" in run(project, "dvc", "metrics", "show")
    run(project, "git", "checkout", "params.yaml", "configs", "dvc.lock")
    assert stages_run(run(project, "dvc", "repro")) == set()


def test_experiment_overrides_a_parameter_and_shows_in_the_tables(project):
    run(project, "dvc", "exp", "run", "-n", "half", "-S", "gen_weight=0.5")
    assert "half" in run(project, "dvc", "exp", "show", "--csv")
    shown = run(project, "dvc", "metrics", "show", "--md")
    assert "test.t2i.r1" in shown
    run(project, "git", "checkout", "params.yaml", "dvc.lock")


def test_wrong_value_stops_a_stage_with_one_line(project):
    edit(project / "params.yaml", r"seed: \d+", "seed: abc")
    environment = os.environ | {"PYTHONPATH": "src"}
    failed = subprocess.run(
        [sys.executable, "stages/train.py", "phase2"],
        cwd=project,
        env=environment,
        capture_output=True,
        text=True,
    )
    run(project, "git", "checkout", "params.yaml")
    assert failed.returncode == 1
    assert failed.stderr.strip() == (
        "error: params.yaml: seed: 'abc' is not allowed: Input should be a valid integer"
    )
