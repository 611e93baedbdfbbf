"""The stage's function on drawn persons and untrained models, one of them with two branches."""

import csv
import json
import shutil
from pathlib import Path
from types import MethodType

import numpy as np
import pytest
import sections
import torch
from tiny_models import tiny_scale
from tiny_trained import save_untrained

from ubg.data.annotations.clothing import read_clothing
from ubg.data.annotations.table import read_annotations
from ubg.data.images.pack import pack_images
from ubg.data.prepared import write_table
from ubg.disentanglement import evaluate as evaluating
from ubg.disentanglement.evaluate import evaluate_disentanglement, lack_of_attributes
from ubg.params import load_params
from ubg.runtime.files import write_json
from ubg.synthpedes.generate import generate
from ubg.trained import load_trained

MEASURES = {"linear_body", "linear_clothing", "mlp_body", "mlp_clothing"}
MEASURES |= {f"{sought}_{metric}" for sought in ("person", "outfit") for metric in ("r1", "map")}


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """Persons in two or three outfits, and persons in one."""
    folder = tmp_path_factory.mktemp("drawn")
    few = {"train_identities": 4, "val_identities": 60, "test_identities": 60}
    for name, outfits in (("several", {"shared": 0.6}), ("one", None)):
        generate(sections.synthpedes(outfits=outfits, images_per_identity=1, **few), folder / name)
    return folder


@pytest.fixture(params=["several"])
def params(request, drawn, tmp_path, monkeypatch):
    """Of a project in which the test runs, with two untrained systems."""
    root = tmp_path / "data/raw/synthpedes_outfits"
    shutil.copytree(drawn / request.param, root)
    table = read_annotations("identity_clothing", root)
    prepared = tmp_path / "data/prepared"
    prepared.mkdir()
    write_table(table, prepared / "annotations.csv")
    write_table(read_clothing("identity_clothing", root, table), prepared / "clothing.csv")
    scale = tiny_scale()
    pack_images(table, root / "imgs", scale.image, tmp_path / "data/images")
    captions = table["caption"].tolist()
    for system in ("phase1", "phase2"):
        save_untrained(system, tmp_path / "models" / system, scale, captions)
    shutil.copytree(tmp_path / "models/phase2", tmp_path / "kept/another")
    for name in ("configs", "params.yaml", "dvc.yaml"):
        (tmp_path / name).symlink_to(Path(name).resolve())
    (tmp_path / "metrics").mkdir()
    (tmp_path / "plots").mkdir()
    params = load_params().model_copy(update={"dataset": "synthpedes_outfits"})
    monkeypatch.chdir(tmp_path)
    return params


def read(name):
    with Path("plots/disentanglement", name).open(newline="") as file:
        return list(csv.DictReader(file))


def test_every_model_stands_beside_an_untrained_one_and_the_first_is_compared(params):
    evaluate_disentanglement(
        ["phase1", "phase2"], [Path("kept/another")], "disentanglement", params
    )
    metrics = json.loads(Path("metrics/disentanglement.json").read_text())
    trained = ["phase1", "phase2", "another"]
    assert list(metrics) == [
        *trained,
        "phase1, untrained",
        "phase2, untrained",
        "the attributes",
        "chance",
    ]
    for name in (*trained, "phase1, untrained", "phase2, untrained"):
        assert metrics[name]["embedding"].keys() == MEASURES
        assert all(0 <= value <= 100 for value in metrics[name]["embedding"].values())
    assert metrics["another"] == metrics["phase2"]
    assert metrics["phase2, untrained"] != metrics["phase2"]
    for branch, own, other in (("identity", "body", "clothing"), ("clothing", "clothing", "body")):
        values = metrics["the attributes"][branch]
        assert values[f"linear_{own}"] > 70 > 20 + values[f"linear_{other}"]
    assert metrics["chance"]["linear_body"] < 60

    differences = {(row["less"], row["measure"]): row for row in read("differences.csv")}
    assert {less for less, _ in differences} == {
        *trained[1:],
        "phase1, untrained",
        "phase2, untrained",
    }
    found = differences["phase2", "person map"]
    expected = (
        metrics["phase1"]["embedding"]["person_map"] - metrics["phase2"]["embedding"]["person_map"]
    )
    assert float(found["difference"]) == pytest.approx(expected, abs=2e-3)
    assert float(found["low"]) <= float(found["difference"]) <= float(found["high"])
    rows = {(row["model"], row["embedding"], row["measure"]): row for row in read("measures.csv")}
    row = rows["phase2", "embedding", "outfit r1"]
    assert float(row["value"]) == pytest.approx(
        metrics["phase2"]["embedding"]["outfit_r1"], abs=1e-3
    )
    of_attributes = [row for row in read("attributes.csv") if row["model"] == "phase1"]
    mean = np.mean(
        [
            float(row["balanced_accuracy"])
            for row in of_attributes
            if (row["probe"], row["group"]) == ("mlp", "body")
        ]
    )
    assert mean == pytest.approx(metrics["phase1"]["embedding"]["mlp_body"], abs=2e-3)
    names = {path.name for path in Path("plots/disentanglement").iterdir()}
    assert names >= {"disentanglement.md", "disentanglement.png"}


def two_branches(folder):
    """The model in the folder, with its embedding and the reverse of it as branches."""
    trained = load_trained(folder)

    def image_branches(self, images):
        features = self.encode_image(images)
        return {"identity": features, "clothing": torch.roll(features, 1, dims=1)}

    trained.model.image_branches = MethodType(image_branches, trained.model)
    return trained


def test_branches_are_rows_and_are_aligned(params, monkeypatch):
    real = load_trained
    monkeypatch.setattr(
        evaluating,
        "load_trained",
        lambda folder: two_branches(folder) if folder.name == "phase1" else real(folder),
    )
    evaluate_disentanglement(["phase1", "phase2"], [], "disentanglement", params)
    metrics = json.loads(Path("metrics/disentanglement.json").read_text())
    assert metrics["phase1"].keys() == {"identity", "clothing", "cka"}
    assert metrics["phase1"]["cka"]["cka"] == pytest.approx(1, abs=1e-3)  # the same, turned
    assert metrics["phase1"]["cka"]["high"] < 0.5
    assert metrics["phase1"]["identity"]["person_map"] == pytest.approx(
        metrics["phase1"]["clothing"]["person_map"], abs=1
    )
    assert metrics["phase2"].keys() == {"embedding"}
    compared = {(row["embedding"], row["less"]) for row in read("differences.csv")}
    assert {("identity", "phase2"), ("clothing", "phase2")} <= compared
    assert (
        "CKA of the two branches of phase1"
        in Path("plots/disentanglement/disentanglement.md").read_text()
    )


@pytest.mark.parametrize("params", ["one"], indirect=True)
def test_where_everybody_has_one_outfit_there_are_no_crossings(params):
    evaluate_disentanglement(["phase2"], [], "disentanglement", params)
    metrics = json.loads(Path("metrics/disentanglement.json").read_text())
    assert metrics["phase2"]["embedding"].keys() == {
        name for name in MEASURES if "_r1" not in name and "_map" not in name
    }
    assert (
        "person"
        not in Path("plots/disentanglement/disentanglement.md").read_text().split("chance")[1]
    )
    assert Path("plots/disentanglement/disentanglement.png").exists()


def test_a_system_that_was_passed_over_is_left_out(params):
    shutil.rmtree("models/phase1")
    Path("models/phase1").mkdir()
    write_json("models/phase1/passed_over.json", {})
    evaluate_disentanglement(["phase1", "phase2"], [], "disentanglement", params)
    metrics = json.loads(Path("metrics/disentanglement.json").read_text())
    assert list(metrics)[:2] == ["phase2", "phase2, untrained"]
    with pytest.raises(ValueError, match="models of phase1: all were passed over"):
        evaluate_disentanglement(["phase1"], [], "disentanglement", params)


def test_a_folder_with_the_name_of_another_model_is_refused(params):
    with pytest.raises(ValueError, match="kept/phase2: another model is called phase2 too"):
        evaluate_disentanglement(["phase2"], [Path("kept/phase2")], "disentanglement", params)


def test_a_data_set_of_which_nothing_is_known_lacks_it(params):
    assert lack_of_attributes(params) is None
    Path("data/raw/synthpedes_outfits/annotations/attributes.json").unlink()
    assert lack_of_attributes(params).endswith("has no attributes of persons and of what they wear")
