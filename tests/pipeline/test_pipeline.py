"""The real dvc.yaml on a few pedestrians: it runs, is cached, and reruns only what must be."""

import json
import math
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from miniatures import write_rstpreid

from ubg.calibration import read_calibration
from ubg.model_fingerprint import model_fingerprint

REPOSITORY = Path(__file__).parents[2]
SHRUNK = {
    "configs/datasets/synthpedes.yaml": {
        r"train_identities: \d+": "train_identities: 24",
        r"val_identities: \d+": "val_identities: 6",
        r"test_identities: \d+": "test_identities: 8",
        r" persons: \d+": " persons: 6",
    },
    "configs/datasets/synthpedes_outfits.yaml": {
        r"train_identities: \d+": "train_identities: 6",
        r"val_identities: \d+": "val_identities: 2",
        r"test_identities: \d+": "test_identities: 2",
    },
    "configs/scales/tiny.yaml": {
        r"epochs: \d+\n  batch_size: 64": "epochs: 2\n  batch_size: 16",
        r" steps: \d+": " steps: 12",
        r" lr_warmup_steps: \d+": " lr_warmup_steps: 2",
        r" warmup_steps: \d+": " warmup_steps: 6",
        r" codes: \d+": " codes: 32",
        r"training: \{epochs: \d+, batch_size: \d+": "training: {epochs: 2, batch_size: 16",
        r"(t2i_reid:\n(?:.*\n)*?  training: )\{epochs: \d+, batch_size: \d+": (
            r"\1{epochs: 2, batch_size: 16"
        ),
    },
    "params.yaml": {r"clusters: \d+": "clusters: 12"},
}
LADDER = ["irra", "phase1", "phase2", "phase3", "phase4"]
SYSTEMS = [*LADDER, "clip_mer", "t2i_reid"]
CLIP_SYSTEMS = ("irra", "phase1", "clip_mer", "t2i_reid")


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
    assert figures >= {"cmc.png", "cmc.json", "similarities.png", "best_queries.png", "foils.csv"}
    assert (project / "plots" / system / "training/plots/metrics/val_r1.tsv").read_text()


@pytest.mark.parametrize("system", SYSTEMS)
def test_search_is_told_how_scores_are_without_the_person(project, system):
    measured = read_calibration(project / f"models/{system}_calibration.json")
    assert measured.fingerprint == model_fingerprint(project / "models" / system)
    assert len(measured.cosine) > 0
    assert len(measured.both) == (len(measured.cosine) if system == "phase4" else 0)


def test_nothing_is_left_to_do(project):
    assert "up to date" in run(project, "dvc", "status")
    assert stages_run(run(project, "dvc", "repro")) == set()


def test_comparison_has_a_row_per_system(project):
    table = (project / "plots/compare/ablation.md").read_text()
    assert "synthetic: yes" in table
    first_cells = [line.split("|")[1].strip() for line in table.splitlines() if line.count("|") > 2]
    assert [cell for cell in first_cells if cell in SYSTEMS] == SYSTEMS


def test_report_is_one_file_of_all_systems(project):
    data = json.loads((project / "plots/report/report.json").read_text())
    rows = [row["name"] for row in data["results"]["rows"]]
    assert rows == [*LADDER, "phase4, both scores", "clip_mer", "t2i_reid"]
    assert data["changes"] == {"changed": []}
    assert data["generation"]["systems"][0]["sheets"] == ["from_captions"]
    assert "models/phase4" in data["origin"]["files"]
    assert (project / "plots/report/report.html").stat().st_size < 5_000_000


def test_generation_is_measured_beside_its_floors_and_drawn(project):
    generation = json.loads((project / "metrics/phase4.json").read_text())["generation"]
    for name in ("ce", "unigram_ce", "position_unigram_ce"):
        assert 0 < generation[name] < 100
    assert math.isfinite(generation["shuffled_caption_gap"])
    assert "shuffled_caption_gap_low" not in generation  # of six people there is no interval
    drawn = {path.name for path in (project / "plots/phase4/generation").iterdir()}
    assert drawn == {"from_captions.png"}


def test_phase4_is_measured_by_both_scores_and_is_a_row_of_its_own(project):
    metrics = json.loads((project / "metrics/phase4.json").read_text())
    assert {"t2i", "i2t", "t2i_generative", "i2t_generative"} == set(metrics["test"])
    assert set(metrics["foils_generative"]) == set(metrics["foils"])
    written = {path.name for path in (project / "plots/phase4/evaluation").iterdir()}
    assert {"queries_generative.csv", "best_queries_generative.png"} <= written
    assert "| phase4, both scores |" in (project / "plots/compare/ablation.md").read_text()
    assert "phase4, both scores" in (project / "plots/compare/foils.md").read_text()
    curves = project / "plots/phase4/training/plots/metrics"
    assert (curves / "val_r1_both_scores.tsv").exists()
    assert (curves / "val_gen_gradient_ratio.tsv").exists()


def test_clip_mer_is_measured_on_queries_of_all_kinds(project):
    metrics = json.loads((project / "metrics/clip_mer.json").read_text())
    for kinds in (metrics["kinds"], metrics["kinds_val"]):
        assert {"one", "two", "three", "four", "score"} <= set(kinds)
        assert 0 < kinds["score"] < 100
    drawn = {path.name for path in (project / "plots/clip_mer/kinds").iterdir()}
    assert drawn >= {"kinds.csv", "kinds.png", "queries.png"}
    curves = project / "plots/clip_mer/training/plots/metrics"
    assert (curves / "val_score.tsv").exists()


def test_embeddings_are_probed_where_nobody_has_two_outfits(project):
    metrics = json.loads((project / "metrics/disentanglement.json").read_text())
    assert {"irra", "phase3", "irra, untrained", "phase3, untrained", "chance"} <= set(metrics)
    assert not any("person" in name for name in metrics["irra"]["embedding"])
    drawn = {path.name for path in (project / "plots/disentanglement").iterdir()}
    assert drawn >= {"attributes.csv", "disentanglement.md", "disentanglement.png"}


def test_t2i_reid_says_what_each_branch_finds(project):
    branches = json.loads((project / "metrics/t2i_reid.json").read_text())["branches"]
    assert 0 < branches["identity_share"] < 1
    assert 0 < branches["test"]["clothing"]["map"] < 100
    assert 0 < branches["identity_captions"]["ceiling"] <= 100
    curves = project / "plots/t2i_reid/training/plots/metrics"
    alphas = [float(line.split()[1]) for line in (curves / "grl_alpha.tsv").open().readlines()[1:]]
    assert alphas == pytest.approx([0.1, 0.12])


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
    changed = {"report", "evaluate_disentanglement", *(f"evaluate_{name}" for name in SYSTEMS)}
    assert stages_run(run(project, "dvc", "repro")) == changed
    run(project, "git", "checkout", str(scale))
    assert stages_run(run(project, "dvc", "repro")) == set()

    edit(project / "params.yaml", "condition: text", "condition: joint")
    changed = {"train_phase4", "evaluate_phase4", "compare", "report"}
    assert stages_run(run(project, "dvc", "repro")) == changed
    generation = project / "plots/phase4/generation"
    assert {path.name for path in generation.iterdir()} == {"predictions.png", "from_captions.png"}
    joint = json.loads((project / "metrics/phase4.json").read_text())
    assert joint["generation"]["by_mask_ratio"]
    assert set(joint["test"]) == {"t2i", "i2t"}
    assert not (project / "plots/phase4/evaluation/queries_generative.csv").exists()
    run(project, "git", "checkout", "params.yaml")

    edit(scale, r"(clip:\n(    .*\n)+?)    width: 128", r"\1    width: 96")
    of_clip = {f"{stage}_{name}" for stage in ("train", "evaluate") for name in CLIP_SYSTEMS}
    # Phase 4 may stand beside irra or phase 1; its results stay, as long as it does not.
    changed = {*of_clip, "train_phase4", "evaluate_disentanglement", "compare", "report"}
    assert stages_run(run(project, "dvc", "repro")) == changed
    run(project, "git", "checkout", str(scale))

    edit(scale, "mlm: [0-9.]+", "mlm: 0.01")
    of_irra = {"train_irra", "evaluate_irra", "evaluate_disentanglement"}
    changed = {*of_irra, "train_phase4", "compare", "report"}
    assert stages_run(run(project, "dvc", "repro")) == changed
    run(project, "git", "checkout", str(scale))
    assert stages_run(run(project, "dvc", "repro")) == set()
    assert (project / "metrics/phase4.json").read_text() == before
    assert "up to date" in run(project, "dvc", "status")


def test_number_of_processes_is_followed_by_the_training_stages(project):
    edit(project / "params.yaml", "processes: 1", "processes: 2")
    changed = status(project)
    run(project, "git", "checkout", "params.yaml")
    assert changed == {"prepare_annotations", "report", *(f"train_{name}" for name in SYSTEMS)}


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
    assert "short/phase2_rstpreid.json" in run(project, "dvc", "metrics", "show")
    assert (project / "metrics/others/phase2_rstpreid.json").exists()
    run(project, "git", "checkout", "params.yaml", "configs", "dvc.lock")
    assert stages_run(run(project, "dvc", "repro")) == set()


def test_experiment_overrides_a_parameter_and_shows_in_the_tables(project):
    run(project, "dvc", "exp", "run", "-n", "half", "-S", "gen_weight=0.5")
    assert "half" in run(project, "dvc", "exp", "show", "--csv")
    shown = run(project, "dvc", "metrics", "show", "--md")
    assert "metrics/short/phase4.json" in shown
    assert "r1_both" in shown
    restore(project)


def restore(project: Path) -> None:
    """The project as it was reproduced."""
    run(project, "git", "checkout", ".")
    run(project, "dvc", "checkout")
    assert stages_run(run(project, "dvc", "repro")) == set()


EVALUATIONS = {f"evaluate_{name}" for name in SYSTEMS}
OF_PHASE4 = {"train_phase4", "evaluate_phase4"}


@pytest.mark.parametrize(
    ("file", "stale"),
    [
        # The systems beside which the fourth phase may stand are its rooms too.
        (
            "systems/phase3/system.py",
            {"train_phase3", "evaluate_phase3", "evaluate_disentanglement", *OF_PHASE4},
        ),
        (
            "systems/irra/objective.py",
            {"train_irra", "evaluate_irra", "evaluate_disentanglement", *OF_PHASE4},
        ),
        ("systems/clip_mer/objective.py", {"train_clip_mer", "evaluate_clip_mer"}),
        (
            "systems/t2i_reid/objective.py",
            {"train_t2i_reid", "evaluate_t2i_reid", "evaluate_disentanglement"},
        ),
        ("losses/mlm.py", {"train_irra", "train_phase4"}),
        ("comparison/ablation.py", {"compare", "report"}),
        (
            "figures/style.py",
            {
                *("prepare_annotations", "pack_images", "fit_vqgan", "compare", "report"),
                *("evaluate_disentanglement", *EVALUATIONS),
            },
        ),
        ("evaluation/cmc.py", EVALUATIONS),
        ("disentanglement/cka.py", {"evaluate_disentanglement"}),
        ("report/people.py", {"report"}),
        ("report/templates/people.html", {"report"}),
        ("plan/table.py", set()),
        ("params/training.py", set()),
    ],
)
def test_a_comment_stales_the_stages_that_use_its_room(project, file, stale):
    path = project / "src/ubg" / file
    code = path.read_text()
    path.write_text(code + "# A comment.\n")
    found = status(project)
    path.write_text(code)
    assert found == stale


def status(project: Path) -> set[str]:
    """The stages whose dependencies have changed."""
    told = run(project, "dvc", "status", "--json")
    (changed,) = re.findall(r"^\{.*\}$", told, re.MULTILINE)
    return set(json.loads(changed))


def test_no_stage_reads_a_param_that_it_does_not_list(project):
    """Each stage of the pipeline again, with nothing but its own keys of params and presets."""
    write_rstpreid(project / "data/raw/rstpreid")
    edit(project / "configs/datasets/rstpreid.yaml", "other_counts: false", "other_counts: true")
    edit(project / "params.yaml", r"evaluate_on: \[\]", "evaluate_on: [rstpreid]")
    listed = run(project, "dvc", "stage", "list", "--name-only").split()
    order = ("make", "prepare", "pack", "fit", "precompute", "train", "evaluate", "compare")
    stages = [name for kind in order for name in listed if name.startswith(f"{kind}_")]
    stages += ["compare", "report"]
    assert len(set(stages)) == len(listed)
    runner = Path(__file__).with_name("listed_params.py")
    try:
        told = run(project, sys.executable, str(runner), *stages)
    finally:
        run(project, "git", "checkout", ".")
    assert told.count("== ") == len(listed)
    assert stages_run(run(project, "dvc", "repro")) == set()


def test_a_key_that_is_not_listed_is_noticed(project):
    pipeline = project / "dvc.yaml"
    before = pipeline.read_text()
    edit(pipeline, r"towers\.siglip,\s+towers\.t5", "towers.siglip")
    runner = str(Path(__file__).with_name("listed_params.py"))
    done = subprocess.run(
        [sys.executable, runner, "train_phase2"], cwd=project, capture_output=True, text=True
    )
    pipeline.write_text(before)
    assert done.returncode == 1
    assert "AttributeError" in done.stderr
    assert "'t5'" in done.stderr


def test_a_knob_of_a_preset_can_be_set_by_its_name(project):
    chosen = "configs/scales/tiny.yaml:training.sampler=identity"
    told = run(project, "dvc", "exp", "run", "-n", "people", "train_phase2", "-S", chosen)
    assert stages_run(told) == {"prepare_annotations", "train_phase2"}  # are there such batches?
    assert "sampler: identity" in (project / "configs/scales/tiny.yaml").read_text()
    restore(project)


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


def add_toy(project: Path) -> None:
    """A folder, an arm, a section in params and presets, two stages, a place in the ladder."""
    package, toy = project / "src/ubg", Path(__file__).with_name("toy")
    (package / "systems/toy").mkdir()
    for name in ("__init__.py", "system.py"):
        shutil.copy(toy / name, package / "systems/toy" / name)
    shutil.copy(toy / "section.py", package / "params/toy.py")
    arm = 'case "toy":\n            from ubg.systems.toy.system import SYSTEM\n        case _:'
    edit(package / "systems/__init__.py", "case _:", arm)
    edit(package / "params/__init__.py", "\n    irra: Irra\n", "\n    irra: Irra\n    toy: Toy\n")
    edit(
        package / "params/__init__.py",
        "from ubg.params.towers",
        "from ubg.params.toy import Toy\n\\g<0>",
    )
    for scale in ("tiny", "base"):
        with (project / f"configs/scales/{scale}.yaml").open("a") as preset:
            preset.write("toy: {itc: 1.0, temperature: 0.1}\n")
    edit(project / "dvc.yaml", "  compare:\n", (toy / "stages.yaml").read_text() + "  compare:\n")
    edit(project / "dvc.yaml", "(stages/compare.py irra .*)\n", "\\1 toy\n")
    edit(
        project / "dvc.yaml",
        "      metrics/irra.json,",
        "      metrics/toy.json, plots/toy/evaluation,\\g<0>",
    )


def test_a_new_system_needs_its_own_folder_and_no_other_is_trained_anew(project):
    add_toy(project)
    assert status(project) <= {"train_toy", "evaluate_toy", "compare", "report"}
    failed = subprocess.run(
        [sys.executable, "stages/compare.py", "irra", "toy"],
        cwd=project,
        env=os.environ | {"PYTHONPATH": "src"},
        capture_output=True,
        text=True,
    )
    assert failed.returncode == 1
    assert "'toy' has no place in the ladder" in failed.stderr

    ladder = project / "src/ubg/comparison/ladder.py"
    edit(ladder, "LADDER = \\(\n", '\\g<0>    Rung("toy", "#009e73", None),\n')
    changed = {"train_toy", "evaluate_toy", "compare", "report"}
    assert stages_run(run(project, "dvc", "repro")) == changed
    assert "up to date" in run(project, "dvc", "status")
    table = (project / "plots/compare/ablation.md").read_text()
    assert re.search(r"^\| toy \| [0-9.]+ \|", table, re.MULTILINE)

    code = "import ubg; print(*ubg.load('models/toy').encode_text(['a red coat']).shape)"
    loaded = run(project, "env", "PYTHONPATH=src", sys.executable, "-c", code)
    assert loaded.split()[-2:] == ["1", "256"]


def test_a_new_system_goes_on_where_it_was_killed(project):
    """After the test above, which has added it."""
    expected = (project / "models/toy/model.safetensors").read_bytes()
    shutil.rmtree(project / "models/toy")
    command = [sys.executable, "stages/train.py", "toy"]
    options = {"cwd": project, "env": os.environ | {"PYTHONPATH": "src"}, "text": True}
    process = subprocess.Popen(command, **options, stderr=subprocess.DEVNULL)
    while not list((project / "checkpoints").glob("toy-*/state.pt")) and process.poll() is None:
        time.sleep(0.0005)
    process.kill()
    process.communicate()
    assert not (project / "models/toy").exists()
    done = subprocess.run(command, **options, capture_output=True, check=True)
    assert "resuming from" in done.stdout + done.stderr
    assert (project / "models/toy/model.safetensors").read_bytes() == expected
