import networkx
import numpy as np
import pytest
from PIL import Image

from ubg.comparison.ladder import rung
from ubg.comparison.pipeline_graph import _columns, _rows, _with_waypoints, draw_graph, read_graph

DVC = """
stages:
  make_drawn: {cmd: x, outs: [data/raw/drawn]}
  make_other: {cmd: x, outs: [data/raw/other]}  # of a data set not in use
  pack: {cmd: x, deps: [stages/pack.py, "data/raw/${dataset}"], outs: [data/images]}
  train_phase1:
    cmd: x
    deps: [data/raw/drawn/a.json, data/images]
    params: [{"configs/${scale}.yaml": [a]}]
    outs: [models/phase1]
    plots: [plots/phase1]
  evaluate_phase1:
    cmd: x
    deps: [models/phase1]
    metrics: [{metrics/phase1.json: {cache: false}}]
  compare: {cmd: x, deps: [metrics/phase1.json], plots: [plots/compare]}
"""


@pytest.fixture
def graph(tmp_path):
    (tmp_path / "dvc.yaml").write_text(DVC)
    (tmp_path / "params.yaml").write_text("dataset: drawn\nscale: tiny\n")
    return read_graph(tmp_path)


def test_edges_follow_the_files_and_leave_out_what_a_longer_path_implies(graph):
    assert sorted(graph.edges) == [
        ("evaluate_phase1", "compare"),
        ("make_drawn", "pack"),
        ("pack", "train_phase1"),
        ("train_phase1", "evaluate_phase1"),
    ]
    assert graph.nodes["train_phase1"]["outs"] == ("models/phase1", "plots/phase1")
    assert "make_other" not in graph


def test_picture_has_a_column_per_step_and_the_colours_of_the_systems(graph, tmp_path):
    draw_graph(tmp_path / "graph.png", graph)
    with Image.open(tmp_path / "graph.png") as image:
        pixels = np.asarray(image.convert("RGB"))
    colour = [int(rung("phase1").colour[place : place + 2], 16) for place in (1, 3, 5)]
    columns = np.flatnonzero((pixels == colour).all(axis=2).any(axis=0)) / pixels.shape[1]
    # Training and evaluation are the third and fourth of five columns.
    assert 2 / 5 < columns.min() < columns.max() < 4 / 5


def test_long_edges_share_a_waypoint_in_every_column_that_they_pass():
    graph = networkx.DiGraph(
        [("a", "b"), ("b", "c"), ("c", "d"), ("a", "d"), ("a", "c"), ("c", "e")]
    )
    columns = _columns(graph)
    assert columns == {"a": 0, "b": 1, "c": 2, "d": 3, "e": 3}
    routed = _with_waypoints(graph, columns)
    assert all(columns[end] - columns[start] == 1 for start, end in routed.edges)
    passing = [name for name in routed if name not in graph]
    assert sorted(columns[name] for name in passing) == [1, 2]
    for start, end in graph.edges:
        assert networkx.has_path(routed, start, end)
    rows = _rows(routed, columns)
    places = [(columns[name], rows[name]) for name in routed]
    assert len(set(places)) == len(places)
