import os
import sys

import pytest

from ubg.runtime.cli import run_stage, run_system_stage, run_systems_stage

SYSTEMS = ("phase1", "phase2")


def test_a_fault_of_the_input_is_one_line_and_status_one(monkeypatch):
    def stage():
        raise ValueError("params.yaml: seed: no")

    monkeypatch.setattr(sys, "argv", ["stage.py"])
    monkeypatch.delenv("DVC_STAGE", raising=False)
    with pytest.raises(SystemExit, match=r"^error: params\.yaml: seed: no$"):
        run_stage("A stage.", stage)


def test_under_dvc_a_fault_says_how_to_bring_back_what_dvc_removed(monkeypatch):
    def stage():
        raise ValueError("params.yaml: seed: no")

    monkeypatch.setattr(sys, "argv", ["stage.py"])
    monkeypatch.setenv("DVC_STAGE", "train_phase2")
    with pytest.raises(SystemExit, match=r"^error: params\.yaml: seed: no\nDVC .*`dvc checkout`"):
        run_stage("A stage.", stage)


def test_a_fault_of_the_program_keeps_its_traceback(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["stage.py"])
    with pytest.raises(ZeroDivisionError):
        run_stage("A stage.", lambda: 1 / 0)


@pytest.mark.parametrize(("before", "expected"), [(None, "1"), ("0", "0")])
def test_torch_is_to_take_huge_pages_unless_told_otherwise(before, expected, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["stage.py"])
    monkeypatch.setenv("THP_MEM_ALLOC_ENABLE", before or "")
    if before is None:
        monkeypatch.delenv("THP_MEM_ALLOC_ENABLE")
    seen = []
    run_stage("A stage.", lambda: seen.append(os.environ["THP_MEM_ALLOC_ENABLE"]))
    assert seen == [expected]


def test_the_stage_gets_the_system_named(monkeypatch):
    seen = []
    monkeypatch.setattr(sys, "argv", ["train.py", "phase2"])
    run_system_stage("Train.", seen.append, SYSTEMS)
    monkeypatch.setattr(sys, "argv", ["compare.py", "phase2", "phase1"])
    run_systems_stage("Compare.", seen.append, SYSTEMS)
    assert seen == ["phase2", ["phase2", "phase1"]]


@pytest.mark.parametrize("run", [run_system_stage, run_systems_stage])
@pytest.mark.parametrize("arguments", [[], ["phase99"]])
def test_an_unknown_or_absent_system_is_refused(run, arguments, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["stage.py", *arguments])
    with pytest.raises(SystemExit) as end:
        run("A stage.", lambda _: pytest.fail("ran"), SYSTEMS)
    assert end.value.code == 2
    assert "system" in capsys.readouterr().err
