"""What is written and returned of a model with drawn weights."""

import csv
import json

import numpy as np
import pandas as pd
import pytest
from tiny_clip_mer import build_clip_mer, clip_mer_scale, give_updates
from tiny_models import HEIGHT, WIDTH, network_of
from toy_mer import MemoryPack, WordTokenizer, toy_modalities

from ubg.params import load_params
from ubg.systems.clip_mer.evaluation import evaluate
from ubg.systems.clip_mer.system import SYSTEM
from ubg.systems.contract import Trained

PERSONS = 3
WRITTEN = {"kinds.csv", "parts.csv", "queries.csv", "kinds.png", "controls.png", "queries.png"}


@pytest.fixture
def project(tmp_path, monkeypatch):
    """An untrained model, a gallery, and the same queries for validation as for test."""
    params = load_params()
    scale = clip_mer_scale()
    model = build_clip_mer(scale).eval()
    give_updates(model)
    trained = Trained(model, WordTokenizer(), network_of("clip_mer", scale))
    modalities = toy_modalities(PERSONS, per_kind=4, size=(HEIGHT, WIDTH))
    val = modalities.queries.assign(split="val")
    modalities.queries = pd.concat([modalities.queries, val], ignore_index=True)
    monkeypatch.setattr(evaluate, "load_modalities", lambda folder: modalities)
    images = 4 * PERSONS
    table = pd.DataFrame(
        {
            "split": np.repeat(["val", "test"], images),
            "pid": np.tile(np.arange(images) % PERSONS, 2),
            "image_id": np.arange(2 * images),
            "caption": "a man",
        }
    )
    monkeypatch.chdir(tmp_path)
    pack = MemoryPack(table["image_id"], 3, seed=1, size=(HEIGHT, WIDTH))
    return trained, pd.concat([table, table]), pack, params


def test_averages_score_and_controls_are_returned_and_the_rest_is_written(project, tmp_path):
    metrics = SYSTEM.evaluate(*project)
    json.dumps(metrics)
    assert set(metrics) == {"kinds", "kinds_val", "controls"}
    for name in ("kinds", "kinds_val"):
        averages = [metrics[name][size]["map"] for size in ("one", "two", "three", "four")]
        assert metrics[name]["score"] == pytest.approx(np.mean(averages), abs=1e-3)
    assert metrics["kinds"] != metrics["kinds_val"]  # other images are in the gallery
    assert set(metrics["controls"]) == {"two", "three", "four"}
    two = metrics["controls"]["two"]
    fused = metrics["kinds"]["two"]["map"]
    assert fused - two["mean"] == pytest.approx(two["over_mean"], abs=2e-3)
    assert fused - two["left_out"] == pytest.approx(two["over_left_out"], abs=2e-3)
    assert two["left_out"] - two["exchanged"] == pytest.approx(two["exchange_costs"], abs=2e-3)
    plots = tmp_path / evaluate.PLOTS
    assert {path.name for path in plots.iterdir()} == WRITTEN
    with (plots / "kinds.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    of_two = [float(row["map"]) for row in rows if row["kind"].count("+") == 1]
    assert np.mean(of_two) == pytest.approx(fused, abs=1e-3)


def test_the_same_bytes_again(project, tmp_path):
    def written():
        metrics = SYSTEM.evaluate(*project)
        files = sorted((tmp_path / evaluate.PLOTS).iterdir())
        return metrics, [file.read_bytes() for file in files]

    assert written() == written()
