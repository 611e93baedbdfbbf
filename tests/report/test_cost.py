"""Times are shown for outputs that the timed run wrote, and for no others."""

import json
import os
import time
from pathlib import Path

import pytest

from ubg.report.cost import stage_costs
from ubg.runtime.costs import measured

PIPELINE = "stages:\n  train: {cmd: python train.py, outs: [models/m]}\n"


@pytest.fixture
def trained(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DVC_STAGE", "train")
    Path("dvc.yaml").write_text(PIPELINE)
    Path("models/m").mkdir(parents=True)
    measured(lambda: Path("models/m/weights").write_text("w"))


def test_a_stage_is_timed_where_dvc_runs_it(trained, monkeypatch):
    (cost,) = stage_costs()
    assert cost["stage"] == "train"
    assert 0 <= cost["seconds"] < 60
    assert cost["memory_bytes"] > 10_000_000
    assert cost["gpu_bytes"] is None
    Path("costs/train.json").unlink()
    monkeypatch.delenv("DVC_STAGE")
    measured(lambda: None)
    monkeypatch.setenv("DVC_STAGE", "train")
    monkeypatch.setenv("LOCAL_RANK", "1")
    measured(lambda: None)
    assert stage_costs() == []


def test_outputs_that_came_from_elsewhere_have_no_time(trained):
    later = time.time() + 100
    os.utime("models/m/weights", (later, later))
    assert stage_costs() == []
    Path("models/m/weights").unlink()
    assert stage_costs() == []


@pytest.mark.parametrize("text", ["{", "[]", json.dumps({"started": -1}), "\udcff"])
def test_what_is_no_cost_is_passed_over(trained, text):
    Path("costs/train.json").write_bytes(text.encode("utf-8", "surrogateescape"))
    assert stage_costs() == []


def test_a_stage_that_fails_leaves_no_time(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DVC_STAGE", "train")

    def fail():
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        measured(fail)
    assert not Path("costs").exists()
