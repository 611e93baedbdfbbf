"""Where results come from, and how to make them again."""

import hashlib
import re
import subprocess
from pathlib import Path

import pytest
import yaml

from ubg.params import load_params
from ubg.report.changes import changes_section, reproduce_section, set_option
from ubg.report.origin import commit, digest, locked_files, machine, origin_section
from ubg.report.sources import read_sources

PIPELINE = """
stages:
  draw: {cmd: python draw.py, deps: [src/draw.py], outs: [data/raw]}
  train: {cmd: python train.py, deps: [data/raw, data/extra], outs: [models/m]}
  report: {cmd: python report.py, deps: [models/m], outs: [plots/report]}
  later: {cmd: python later.py, deps: [models/m], outs: [plots/later]}
"""


def git(*arguments):
    who = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
    subprocess.run(["git", *who, *arguments], check=True, capture_output=True)


@pytest.fixture
def committed(project):
    git("init", "-q")
    git("add", "params.yaml", "configs")
    git("commit", "-q", "-m", "start <b>")
    return project


def edit(path, old, new):
    text, count = re.subn(old, new, Path(path).read_text(), count=1)
    assert count == 1
    Path(path).write_text(text)


def test_params_that_differ_from_the_commit_are_named_and_can_be_set_again(committed):
    edit("params.yaml", r"gen_weight: [\d.]+", "gen_weight: 30.0")
    edit("configs/scales/tiny.yaml", r"betas: \[[^]]*\]", "betas: [0.8, 0.9]")
    sources = read_sources(["phase1"], load_params())
    changes = changes_section(sources)
    changed = {one["key"]: one for one in changes.data["changed"]}
    assert set(changed) == {"gen_weight", "optimiser.betas"}
    assert changed["gen_weight"]["committed"] == 10
    assert changed["optimiser.betas"]["file"] == "configs/scales/tiny.yaml"
    data = reproduce_section(origin_section(sources), changes).data
    assert data["commands"][-1] == (
        "dvc exp run -S gen_weight=30.0 -S 'configs/scales/tiny.yaml:optimiser.betas=[0.8,0.9]'"
    )
    assert data["edited"] == []


def test_nothing_differs_in_a_clean_clone(committed):
    sources = read_sources(["phase1"], load_params())
    changes = changes_section(sources)
    assert changes.data == {"changed": []}
    origin = origin_section(sources)
    assert origin.data["code"]["changed"] == []
    assert origin.data["code"]["subject"] == "start <b>"
    checkout, *_, last = reproduce_section(origin, changes).data["commands"]
    assert checkout == f"git checkout {origin.data['code']['commit']}"
    assert last == "dvc repro"


def test_changed_code_is_said(committed):
    Path("src").mkdir()
    Path("src/new.py").write_text("")
    assert commit()["changed"] == ["src/new.py"]
    sources = read_sources(["phase1"], load_params())
    assert reproduce_section(origin_section(sources), None).data["edited"] == ["src/new.py"]


def test_without_git_or_with_other_keys_in_the_commit_nothing_is_claimed(project):
    assert commit() is None
    assert changes_section(read_sources(["phase1"], load_params())) is None
    git("init", "-q")
    own = Path("params.yaml").read_text()
    Path("params.yaml").write_text("other: 1\n")
    git("add", "params.yaml", "configs")
    git("commit", "-q", "-m", "another layout")
    Path("params.yaml").write_text(own)
    assert changes_section(read_sources(["phase1"], load_params())) is None


@pytest.mark.parametrize(
    ("value", "option"),
    [
        (None, "-S key=null"),
        (True, "-S key=true"),
        ("a b; rm x", "-S 'key=a b; rm x'"),
        ([1, None], "-S 'key=[1,null]'"),
    ],
)
def test_options_are_quoted_for_the_shell(value, option):
    assert set_option({"file": "params.yaml", "key": "key", "here": value}) == option


def test_hashes_are_those_of_the_stages_before_the_report(tmp_path):
    (tmp_path / "dvc.yaml").write_text(PIPELINE)
    (tmp_path / "params.yaml").write_text("{}")
    assert locked_files(tmp_path) == {}

    def item(path, md5):
        return {"path": path, "md5": md5, "size": 3}

    entries = {
        "draw": {"deps": [item("src/draw.py", "0")], "outs": [item("data/raw", "1")]},
        "train": {"deps": [item("data/extra", "2")], "outs": [item("models/m", "3")]},
        "report": {"deps": [], "outs": [item("plots/report", "4")]},
        "later": {"deps": [], "outs": [item("plots/later", "5")]},
    }
    (tmp_path / "dvc.lock").write_text(yaml.safe_dump({"schema": "2.0", "stages": entries}))
    files = locked_files(tmp_path)
    assert {path: file["md5"] for path, file in files.items()} == {
        "data/extra": "2",
        "data/raw": "1",
        "models/m": "3",
    }
    lines = b"2  data/extra\n1  data/raw\n3  models/m\n"
    assert digest(files) == hashlib.sha256(lines).hexdigest()
    assert digest({}) is None


def test_machine_has_no_name():
    import platform

    assert platform.node() not in str(machine())
    assert machine()["cores"] >= 1
