"""`dvc.yaml` as DVC resolves it, and what of it decides the result of a stage."""

import sqlite3

import pytest

from ubg.runtime import pipeline
from ubg.runtime.pipeline import declared_inputs, read_stages, rooms_digest

DVC = """
stages:
  train_a: &train
    vars: [{system: a}]
    cmd: python train.py ${system}
    deps: [stages/train.py, src/ubg/shared, 'src/ubg/systems/${system}', data]
    params: [seed, {'configs/${scale}.yaml': [lr, towers.clip]}]
    outs: ['models/${system}']
    metrics: [{'metrics/${system}.json': {cache: false}}]
  train_b: {<<: *train, vars: [{system: b}]}
  test_a_on:
    foreach: ${sets}
    do: {cmd: 'python test.py ${item}', deps: ['data/${item}']}
"""


class Values:
    """Params by file and key."""

    def __init__(self, **values):
        self.values = {"seed": 1, "lr": 0.1, "towers.clip": "small"} | values

    def value(self, file, key):
        return self.values[key]


@pytest.fixture
def project(tmp_path, monkeypatch):
    (tmp_path / "dvc.yaml").write_text(DVC)
    (tmp_path / "params.yaml").write_text("seed: 1\nscale: tiny\nsets: [one, two]\n")
    for name in ("shared/x.py", "systems/a/y.py", "systems/b/y.py", "elsewhere.py", "__init__.py"):
        path = tmp_path / "src/ubg" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"NAME = {name!r}\n")
    monkeypatch.setattr(pipeline.ubg, "__file__", str(tmp_path / "src/ubg/__init__.py"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_templates_merges_and_lists_are_resolved(project):
    stages = read_stages()
    assert list(stages) == ["train_a", "train_b", "test_a_on@one", "test_a_on@two"]
    trained = stages["train_b"]
    assert trained.command == "python train.py b"
    assert trained.deps[2] == "src/ubg/systems/b"
    assert trained.params == {"params.yaml": ("seed",), "configs/tiny.yaml": ("lr", "towers.clip")}
    assert trained.outs == ("models/b", "metrics/b.json")
    assert [stage.repeated for stage in stages.values()] == [False, False, True, True]
    assert stages["test_a_on@two"].deps == ("data/two",)


@pytest.mark.parametrize("content", ["", "[]", "stages:", "stages: [a]", "plots: [a]", "1"])
def test_a_pipeline_without_stages_is_refused(project, content):
    (project / "dvc.yaml").write_text(content)
    with pytest.raises(ValueError, match=r"^dvc\.yaml: has no stages[^\n]*$"):
        read_stages()


def test_a_full_disk_under_the_records_of_dvc_is_told_in_one_line(project, monkeypatch):
    def fail(*arguments, **options):
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr("dvc.repo.Repo.__init__", fail)
    with pytest.raises(ValueError, match=r"^DVC cannot .* disk is full; free some space.*$"):
        read_stages(project)


def test_a_project_without_stages_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"^dvc\.yaml: cannot be read"):
        read_stages(tmp_path)


@pytest.mark.parametrize(
    ("file", "changes"),
    [
        ("shared/x.py", True),
        ("systems/a/y.py", True),
        ("systems/b/y.py", False),
        ("elsewhere.py", False),
    ],
)
def test_a_comment_counts_in_the_declared_rooms_alone(project, file, changes):
    before = declared_inputs("train_a", Values())
    with (project / "src/ubg" / file).open("a") as code:
        code.write("# a comment\n")
    assert (declared_inputs("train_a", Values()) != before) == changes


def test_only_listed_params_are_asked_for_and_each_of_them_counts(project):
    before = declared_inputs("train_a", Values())
    assert declared_inputs("train_a", Values()) == before
    for change in ({"seed": 2}, {"lr": 0.2}, {"towers.clip": "large"}):
        assert declared_inputs("train_a", Values(**change)) != before


def test_a_stage_or_a_room_that_is_not_there_is_named(project):
    with pytest.raises(ValueError, match="has no stage 'train_c'; add it"):
        declared_inputs("train_c", Values())
    with pytest.raises(ValueError, match="src/ubg/gone is a dependency and does not exist"):
        rooms_digest(["src/ubg/gone"])
