import csv

import numpy as np
import pytest
import torch
from toy_mer import ToyMer, queries_of, toy_gallery, toy_modalities

from ubg.data.query_kinds import KINDS
from ubg.retrieval.bootstrap import Interval
from ubg.systems.clip_mer.evaluation.compare import Compared, Part
from ubg.systems.clip_mer.evaluation.measure import measure_kinds
from ubg.systems.clip_mer.evaluation.tables import write_kinds, write_parts, write_queries


@pytest.fixture(scope="module")
def measured():
    torch.manual_seed(0)
    queries = queries_of(toy_modalities())
    return queries, measure_kinds(ToyMer().eval(), queries, toy_gallery(), 8)


def compared(**parts):
    none = Interval(0.0)
    return Compared(40.0, 30.0, 20.0, Interval(-2.5, -3.0, 1.0), none, none, parts)


def rows_of(path):
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_a_row_for_each_kind_with_its_controls(measured, tmp_path):
    _, kinds = measured
    write_kinds(tmp_path / "kinds.csv", kinds, {"NIR+SK": compared()})
    rows = {row["kind"]: row for row in rows_of(tmp_path / "kinds.csv")}
    assert list(rows) == list(KINDS)
    for kind, metrics in kinds.metrics().items():
        assert rows[kind]["queries"] == "6"
        assert {name: float(rows[kind][name]) for name in metrics} == pytest.approx(metrics)
    controls = ["map_mean", "over_mean", "over_mean_low", "over_mean_high"]
    controls += ["map_left_out", "map_exchanged"]
    assert [float(rows["NIR+SK"][name]) for name in controls] == [40, -2.5, -3, 1, 30, 20]
    assert [rows["NIR"][name] for name in controls] == [""] * 6


def test_a_row_for_each_part_and_no_ends_where_there_is_no_interval(measured, tmp_path):
    _, kinds = measured
    parts = {
        "nir": Part(35.0, 10.0, Interval(2.0, 1.0, 3.0)),
        "sk": Part(25.0, 5.0, Interval(-1.0)),
    }
    write_parts(tmp_path / "parts.csv", kinds, {"NIR+SK": compared(**parts)})
    nir, sk = rows_of(tmp_path / "parts.csv")
    assert (nir["kind"], nir["part"], sk["part"]) == ("NIR+SK", "nir", "sk")
    assert float(nir["map"]) == pytest.approx(kinds.metrics()["NIR+SK"]["map"])
    assert [float(nir[name]) for name in ("map_left_out", "map_exchanged")] == [35, 10]
    assert [float(nir[name]) for name in ("gain", "gain_low", "gain_high")] == [2, 1, 3]
    assert (float(sk["gain"]), sk["gain_low"], sk["gain_high"]) == (-1, "", "")


def test_a_row_for_each_query_whose_mean_is_the_metric(measured, tmp_path):
    queries, kinds = measured
    write_queries(tmp_path / "queries.csv", queries, kinds)
    rows = rows_of(tmp_path / "queries.csv")
    assert len(rows) == len(queries.table)
    for kind, metrics in kinds.metrics().items():
        own = [row for row in rows if row["kind"] == kind]
        assert [int(row["pid"]) for row in own] == [0, 1, 2, 3, 0, 1]
        mean = 100 * np.mean([float(row["average_precision"]) for row in own])
        assert mean == pytest.approx(metrics["map"], abs=1e-4)
        first = 100 * np.mean([int(row["first_rank"]) == 1 for row in own])
        assert first == pytest.approx(metrics["r1"])
