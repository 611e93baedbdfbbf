"""The study on real queued experiments of a pipeline that only writes results."""

import csv
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ubg.comparison.experiments import fetch_model, list_experiments, read_experiment

ROOT = Path(__file__).parents[2]
DVC = """
stages:
  train_phase3:
    cmd: mkdir -p models/phase3 && (cat params.yaml; echo $UBG_CHECKPOINTS) > models/phase3/seen
    params: [seed, {"configs/scales/${scale}.yaml": [losses.sdm]}]
    outs: [models/phase3]
  evaluate_phase3:
    cmd: python write.py phase3
    deps: [write.py, models/phase3]
    params: [generation.decoder]
    outs: [plots/phase3/evaluation]
    metrics:
      - metrics/phase3.json: {cache: false}
  evaluate_phase4:
    cmd: python write.py phase4
    deps: [write.py]
    params: [seed, gen_weight, {"configs/scales/${scale}.yaml": [losses.sdm]}]
    outs: [plots/phase4/evaluation]
    metrics:
      - metrics/phase4.json: {cache: false}
"""
# Phase 4 answers one more of ten queries at rank 1 for each half of gen_weight, and one more yet by
# both scores.
WRITE = """
import json, os, sys
import yaml
params, system = yaml.safe_load(open("params.yaml")), sys.argv[1]
right = 4 + (params["seed"] == 2) + (2 * params["gen_weight"] if system == "phase4" else 0)
os.makedirs(f"plots/{system}/evaluation"), os.makedirs("metrics", exist_ok=True)
def write(name, right):
    with open(f"plots/{system}/evaluation/{name}.csv", "w") as file:
        print("caption_id,image_id,pid,first_rank,average_precision,inp", file=file)
        for query in range(200):
            rank = 1 if query % 10 < right else 20
            print(query, query, query // 4, rank, 0.5, 0.5, sep=",", file=file)
    return dict(r1=10.0 * right, r5=10.0 * right, r10=10.0 * right, map=50.0, minp=50.0)
t2i = write("queries", right)
both = {"t2i": t2i, "i2t": t2i}
if system == "phase4" and params["gen_weight"]:
    second = write("queries_generative", right + 1)
    both |= {"t2i_generative": second, "i2t_generative": second}
metrics = {"test": both, "val": both, "last": {"test": both}}
if system == "phase4":
    metrics["generation"] = {"ce": 3.0 + params["seed"], "buckets": {"high": 4.0}}
json.dump(metrics, open(f"metrics/{system}.json", "w"))
"""


def run(project: Path, *command: str) -> str:
    environment = os.environ | {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT / "src"),
        "UBG_CHECKPOINTS": "/elsewhere",
    }
    done = subprocess.run(
        command, cwd=project, env=environment, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def study(project: Path, *arguments: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, ROOT / "stages/study.py", *arguments],
        cwd=project,
        env=os.environ | {"PYTHONPATH": str(ROOT / "src")},
        capture_output=True,
        text=True,
        timeout=120,
    )


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def project(tmp_path_factory) -> Path:
    """A repository with four queued experiments done, of two seeds and two weights."""
    project = tmp_path_factory.mktemp("study")
    params = (ROOT / "params.yaml").read_text()
    (project / "params.yaml").write_text(re.sub("gen_weight: [0-9.]+", "gen_weight: 1.0", params))
    shutil.copytree(ROOT / "configs", project / "configs")
    (project / "dvc.yaml").write_text(DVC)
    (project / "write.py").write_text(WRITE)
    run(project, "git", "init", "-q")
    run(project, "git", "config", "user.name", "a")
    run(project, "git", "config", "user.email", "a@example.org")
    run(project, "dvc", "init", "-q")
    run(project, "dvc", "repro", "-q")
    run(project, "git", "add", "-A")
    run(project, "git", "commit", "-q", "-m", "start")
    run(project, "dvc", "exp", "run", "--queue", "-S", "seed=1,2", "-S", "gen_weight=0,0.5")
    run(project, "dvc", "queue", "start", "--jobs", "1")
    deadline = time.monotonic() + 100
    while len(run(project, "git", "for-each-ref", "refs/exps").splitlines()) < 4:
        assert time.monotonic() < deadline, run(project, "dvc", "queue", "status")
        time.sleep(0.2)
    return project


def test_queued_experiments_are_read_without_touching_the_workspace(project):
    names = list_experiments(project)
    assert len(names) == 4
    found = [read_experiment(name, ["phase3", "phase4"], project) for name in names]
    assert sorted((e.seed, e.params["gen_weight"]) for e in found) == [
        (seed, weight) for seed in (1, 2) for weight in (0.0, 0.5)
    ]
    assert {e.dataset for e in found} == {"SynthPEDES (synthetic)"}
    for experiment in found:
        right = 4 + (experiment.seed == 2) + 2 * experiment.params["gen_weight"]
        assert experiment.queries["phase4"].values("r1").mean() == 10 * right
        assert experiment.metrics["phase4"].test.t2i.r1 == 10 * right
    assert run(project, "git", "status", "--short") == ""


def test_variables_of_the_shell_that_starts_the_queue_reach_the_stages(project):
    name = list_experiments(project)[0]
    stored = run(
        project, "dvc", "get", ".", "models/phase3/seen", "--rev", name, "-o", "seen", "-q"
    )
    seen = (project / "seen").read_text()
    (project / "seen").unlink()
    assert stored == ""
    assert seen.endswith("\n/elsewhere\n")


def test_study_aggregates_over_the_seeds(project):
    done = study(project, "--reference", "gen_weight=0")
    assert done.returncode == 0, done.stderr
    folder = project / "plots/study"
    assert {path.name for path in folder.iterdir()} == {
        "study.md",
        "study.csv",
        "differences.csv",
        "runs.png",
        "differences.png",
    }
    text = (folder / "study.md").read_text()
    assert text in done.stdout
    assert text.startswith("# Study on SynthPEDES (synthetic)")
    # R@1 of 50 and 60 over the seeds 1 and 2.
    assert "| gen_weight=0.5 | phase4 | 1 2 | 55.00 ± 7.07 |" in text
    assert "| gen_weight=0 | phase3 | 1 2 | 45.00 ± 7.07 |" in text
    assert "| gen_weight=0.5 | phase4, both scores | 1 2 | 65.00 ± 7.07 |" in text
    assert "| gen_weight=0.5 | 1 2 | 4.500 ± 0.707 |" in text  # generation: ce, no buckets

    found = {
        (row["difference"], row["params"]): row
        for row in rows(folder / "differences.csv")
        if row["metric"] == "r1"
    }
    assert set(found) == {
        ("phase4 – phase3", "gen_weight=0"),
        ("phase4 – phase3", "gen_weight=0.5"),
        ("phase4, both scores – phase3", "gen_weight=0.5"),
        ("phase4, against gen_weight=0", "gen_weight=0.5"),
    }
    gain = found["phase4, against gen_weight=0", "gen_weight=0.5"]
    # A tenth of the queries more in every run: no spread over the seeds, some over the queries.
    assert (gain["mean"], gain["seeds_low"], gain["seeds"]) == ("10.0000", "", "1 2")
    assert 5 < float(gain["low"]) < 10 < float(gain["high"]) < 15
    same = found["phase4 – phase3", "gen_weight=0"]
    assert (same["mean"], same["low"], same["high"]) == ("0.0000", "", "")
    assert found["phase4, both scores – phase3", "gen_weight=0.5"]["mean"] == "20.0000"


def test_a_model_is_copied_out_of_its_experiment(project, tmp_path):
    name = list_experiments(project)[0]
    folder = fetch_model(name, "phase3", tmp_path, project)
    assert folder == tmp_path / "models/phase3"
    assert (folder / "seen").read_text().endswith("\n/elsewhere\n")
    assert not (project / "seen").exists()
    with pytest.raises(ValueError, match=f"^experiment {name}: models/phase9: missing; run the"):
        fetch_model(name, "phase9", tmp_path, project)


def test_results_that_are_not_those_of_the_experiment_are_refused(project):
    run(project, "dvc", "exp", "run", "-q", "-n", "only4", "-S", "seed=7", "evaluate_phase4")
    # Trained again, but not evaluated again.
    change = "configs/scales/tiny.yaml:losses.sdm=0.7"
    run(project, "dvc", "exp", "run", "-q", "-n", "trained", "-S", change, "train_phase3")
    run(project, "git", "checkout", "-q", ".")
    assert read_experiment("only4", ["phase4"], project).seed == 7
    with pytest.raises(ValueError, match="phase3 was not run") as error:
        read_experiment("only4", ["phase4", "phase3"], project)
    assert str(error.value).startswith("experiment only4: phase3 was not run with the params of")
    assert "(train_phase3 is out of date)" in str(error.value)
    with pytest.raises(ValueError, match=r"phase3 was not run .*\(evaluate_phase3 is out of date"):
        read_experiment("trained", ["phase3"], project)
    run(project, "dvc", "exp", "remove", "-q", "only4", "trained")


def test_faults_are_one_line(project, tmp_path):
    done = study(project, "--reference", "seed=1")
    assert done.returncode == 1
    assert done.stderr.strip().splitlines()[-1] == (
        "error: --reference: seed does not vary; what does: gen_weight"
    )
    assert "Traceback" not in done.stderr
    name = list_experiments(project)[0]
    with pytest.raises(ValueError, match=f"^experiment {name}: no stage .* metrics/phase1.json$"):
        read_experiment(name, ["phase1"], project)
    with pytest.raises(ValueError, match=r"^experiment nonsuch: unknown Git revision"):
        read_experiment("nonsuch", ["phase3"], project)
    with pytest.raises(ValueError, match=r"^experiments from nonsuch cannot be listed: unkn"):
        list_experiments(project, "nonsuch")
    run(project, "git", "commit", "-q", "--allow-empty", "-m", "next")
    with pytest.raises(ValueError, match=r"^no finished experiment started from HEAD"):
        list_experiments(project)
    assert name in list_experiments(project, "HEAD^")
    with pytest.raises(ValueError, match=r"^experiments from HEAD cannot be listed"):
        list_experiments(tmp_path)


def test_results_lost_from_the_cache_are_one_line(project):
    name = list_experiments(project, "HEAD^")[0]
    (project / ".dvc/cache").rename(project / ".dvc/aside")
    with pytest.raises(ValueError, match=r"queries\.csv: not in the DVC cache; run the exp"):
        read_experiment(name, ["phase3"], project)
    (project / ".dvc/aside").rename(project / ".dvc/cache")
