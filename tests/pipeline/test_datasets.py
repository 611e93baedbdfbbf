"""Every data set from its files to the metrics of a system, on miniatures, and on each other."""

import contextlib
import csv
import importlib.util
import json
import re
import shutil
from functools import cache
from pathlib import Path

import pytest
from miniatures import MINIATURES

from ubg import load
from ubg.data.modalities.modalities import load_modalities
from ubg.runtime.pipeline import read_stages

REPOSITORY = Path(__file__).parents[2]
SYSTEM = "phase2"
SMALL = {
    r"vocab_size: 1000": "vocab_size: 150",
    r"epochs: \d+\n  batch_size: 64": "epochs: 1\n  batch_size: 8",
    r"training: \{epochs: \d+, batch_size: 64": "training: {epochs: 1, batch_size: 8",
    r"(siglip:\n(    .*\n)+?)    layers: 3": r"\1    layers: 1",
    r"(t5:\n(    .*\n)+?)    layers: 2": r"\1    layers: 1",
}


def edit(path: Path, changes: dict[str, str]) -> None:
    text = path.read_text()
    for old, new in changes.items():
        text, count = re.subn(old, new, text)
        assert count, f"{old!r} is not in {path}"
    path.write_text(text)


def add_miniature(project: Path, dataset: str) -> None:
    """The miniature below `data/raw`, and a preset that takes its counts."""
    MINIATURES[dataset](project / "data/raw" / dataset)
    preset = project / "configs/datasets" / f"{dataset}.yaml"
    edit(preset, {"accept_other_counts: false": "accept_other_counts: true"})
    if "carve_val: {" in preset.read_text():
        edit(preset, {r"carve_val: \{identities: \d+": "carve_val: {identities: 2"})


def run(project: Path, stage: str, *arguments: object) -> None:
    """`main` of a stage script, in this process: to import torch anew for each takes most time."""
    path = REPOSITORY / "stages" / f"{stage}.py"
    spec = importlib.util.spec_from_file_location(f"{stage}_stage", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    with contextlib.chdir(project):
        module.main(*arguments)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """From a data set to a project in which a system was trained on it and evaluated."""

    @cache
    def train_on(dataset: str) -> Path:
        project = tmp_path_factory.mktemp(dataset)
        for name in ("params.yaml", "dvc.yaml"):
            shutil.copy(REPOSITORY / name, project)
        shutil.copytree(REPOSITORY / "configs", project / "configs")
        add_miniature(project, dataset)
        edit(project / "params.yaml", {"dataset: synthpedes": f"dataset: {dataset}"})
        edit(project / "configs/scales/tiny.yaml", SMALL)
        for stage in ("prepare_annotations", "pack_images", "make_foils", "fit_tokenizer"):
            run(project, stage)
        run(project, "train", SYSTEM)
        run(project, "evaluate", SYSTEM)
        return project

    return train_on


def assert_percentages(measured):
    for direction in ("t2i", "i2t"):
        assert set(measured[direction]) == {"r1", "r5", "r10", "map", "minp"}
        assert all(0 <= value <= 100 for value in measured[direction].values())
        assert measured[direction]["map"] > 0


@pytest.mark.parametrize("dataset", MINIATURES)
def test_data_set_goes_from_its_files_to_metrics(trained, dataset):
    project = trained(dataset)
    metrics = json.loads((project / f"metrics/{SYSTEM}.json").read_text())
    assert_percentages(metrics["test"])
    assert_percentages(metrics["val"])
    drawn = {path.name for path in (project / "plots" / SYSTEM / "evaluation").iterdir()}
    assert drawn >= {"cmc.png", "queries.csv", "best_queries.png", "worst_queries.png"}
    clothing = project / "data/prepared/clothing.csv"
    assert clothing.exists() == (dataset == "identity_clothing")


def test_modalities_go_from_the_files_of_orbench_to_packs(trained):
    project = trained("orbench")
    run(project, "prepare_modalities")
    modalities = load_modalities(project / "data/modalities")
    assert set(modalities.images["split"]) == {"train", "val", "test"}
    assert set(modalities.queries.groupby("split")["kind"].nunique()) == {32}


def test_all_kinds_of_query_go_from_the_files_of_orbench_to_metrics(trained):
    project = trained("orbench")
    run(project, "prepare_modalities")
    run(project, "train", "clip_mer")
    run(project, "evaluate", "clip_mer")
    metrics = json.loads((project / "metrics/clip_mer.json").read_text())
    assert_percentages(metrics["test"])
    for kinds in (metrics["kinds"], metrics["kinds_val"]):
        maps = [kinds[average]["map"] for average in ("one", "two", "three", "four")]
        assert kinds["score"] == pytest.approx(sum(maps) / 4, abs=0.001)
    assert set(metrics["controls"]) == {"two", "three", "four"}
    with (project / "plots/clip_mer/kinds/kinds.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    asked = json.loads(
        (project / "data/raw/orbench/annotations/test_gallery_and_queries.json").read_text()
    )
    queries = {kind: len(of_kind) for kind, of_kind in asked.items() if kind != "RGB_GALLERY"}
    assert {row["kind"]: int(row["queries"]) for row in rows} == queries
    one = [float(row["map"]) for row in rows if "+" not in row["kind"]]
    assert metrics["kinds"]["one"]["map"] == pytest.approx(sum(one) / 4, abs=0.001)
    assert (project / "plots/clip_mer/kinds/queries.png").exists()
    picture = project / "data/raw/orbench/imgs" / asked["NIR+TEXT"][0][1]
    model = load(project / "models/clip_mer")
    found = model.encode_query({"nir": [picture], "text": [asked["NIR+TEXT"][0][2]]})
    assert found.shape == (1, model.encode_image([picture]).shape[1])


def test_what_a_data_set_lacks_is_passed_over_by_a_run_of_all(trained, capsys):
    project = trained("rstpreid")
    run(project, "prepare_modalities")
    run(project, "train", "clip_mer")
    run(project, "evaluate", "clip_mer")
    run(project, "train", "t2i_reid")
    run(project, "evaluate", "t2i_reid")
    told = capsys.readouterr().out
    lacking = dict.fromkeys(
        ("prepare_modalities", "train_clip_mer", "evaluate_clip_mer"), "infrared images"
    )
    captions = "identity and clothing captions"
    lacking |= dict.fromkeys(("train_t2i_reid", "evaluate_t2i_reid"), captions)
    for stage, what in lacking.items():
        assert f"{stage}: passed over, RSTPReid has no {what}" in told
        for out in map(project.joinpath, read_stages(project)[stage].outs):
            assert out.read_text() == "{}\n" if out.is_file() else [*out.iterdir()], out
    with pytest.raises(ValueError, match=r"models/clip_mer: .*config\.json"):
        load(project / "models/clip_mer")
    run(project, "compare", [SYSTEM, "clip_mer", "t2i_reid"])
    table = (project / "plots/compare/ablation.md").read_text()
    assert f"| {SYSTEM} |" in table
    assert "clip_mer" not in table
    assert "t2i_reid" not in table


def test_system_is_measured_on_others_and_overlap_is_warned_about(trained, capsys):
    project = trained("icfg_pedes")
    before = (project / f"metrics/{SYSTEM}.json").read_bytes()
    for other in ("rstpreid", "orbench"):
        add_miniature(project, other)
        run(project, "prepare_other", other)
    capsys.readouterr()
    run(project, "evaluate_on", SYSTEM, ["rstpreid", "orbench"])
    overlap = "ICFG-PEDES and RSTPReid both take their images from MSMT17"
    assert capsys.readouterr().out.count("warning: ") == 1

    for other, warned in (("rstpreid", True), ("orbench", False)):
        metrics = json.loads((project / f"metrics/others/{SYSTEM}_{other}.json").read_text())
        assert_percentages(metrics["test"])
        run(project, "compare_other", other, [SYSTEM])
        folder = project / "plots/others" / other
        assert (f"**warning: {overlap}" in (folder / "transfer.md").read_text()) == warned
        with (folder / "transfer.csv").open(newline="") as file:
            own, transferred = csv.DictReader(file)
        assert own["tested_on"] == own["trained_on"] == transferred["trained_on"] == "ICFG-PEDES"
        assert own["warning"] == ""
        assert transferred["warning"].startswith(overlap) == warned
        assert float(transferred["r1"]) == metrics["test"]["t2i"]["r1"]
        # Of the images only those of the test split are packed.
        index = json.loads((project / f"data/others/{other}/images/index.json").read_text())
        report = json.loads((project / f"data/others/{other}/prepared/report.json").read_text())
        assert index["count"] == report["splits"]["test"]["images"]
    assert (project / f"metrics/{SYSTEM}.json").read_bytes() == before


def test_other_that_was_not_prepared_says_what_to_run(trained):
    with pytest.raises(ValueError, match=r"others/custom: is not prepared; .*prepare_other@custom"):
        run(trained("custom"), "evaluate_on", SYSTEM, ["custom", "rstpreid"])


def test_own_data_set_scores_the_same_as_an_other(trained):
    project = trained("custom")
    run(project, "prepare_other", "custom")
    run(project, "evaluate_on", SYSTEM, ["custom"])
    run(project, "compare_other", "custom", [SYSTEM])
    again = json.loads((project / f"metrics/others/{SYSTEM}_custom.json").read_text())
    own = json.loads((project / f"metrics/{SYSTEM}.json").read_text())
    assert again["test"] == own["test"]
    assert len((project / "plots/others/custom/transfer.csv").read_text().splitlines()) == 2
