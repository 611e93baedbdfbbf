"""Sections about what only some systems are measured by: kinds of queries, body and clothes."""

import contextlib
import json
from pathlib import Path

import pytest
from PIL import Image
from tiny_report import PEOPLE, write_project, write_system

from ubg.params import load_params
from ubg.report.build import as_html, build_sections
from ubg.report.disentanglement import disentanglement_section
from ubg.report.kinds import kinds_section
from ubg.report.sources import read_sources

SCORES = {"r1": 40.0, "r5": 60.0, "r10": 70.0, "map": 38.35, "minp": 30.0}
TWO = {"over_mean": 0.4, "over_mean_low": 0.18, "over_mean_high": 0.62}
MEASURES = """model,embedding,measure,value,low,high,chance
irra,both,linear body,34.6,32.6,36.8,31.9
irra,both,person r1,0.3,0.0,0.7,0.6
irra,both,mlp body,34.5,32.5,36.5,31.9
the attributes,identity,linear body,100.0,,,31.9
"""


@pytest.fixture
def sources(tmp_path):
    write_project(tmp_path)
    write_system(tmp_path, "clip_mer", [1] * PEOPLE)
    path = tmp_path / "metrics/clip_mer.json"
    kinds = {"score": 65.07, **dict.fromkeys(("one", "two", "three", "four"), SCORES)}
    path.write_text(
        json.dumps(json.loads(path.read_text()) | {"kinds": kinds, "controls": {"two": TWO}})
    )
    folder = tmp_path / "plots/clip_mer/kinds"
    folder.mkdir()
    (folder / "kinds.csv").write_text(
        "kind,queries,r1,r5,r10,map,minp\nNIR,300,2.0,3.0,6.0,3.1,2.2\nNIR+CP,300,88.0,99.0,100.0,83.5,70.8\n"
    )
    folder = tmp_path / "plots/disentanglement"
    folder.mkdir()
    (folder / "measures.csv").write_text(MEASURES)
    Image.new("RGB", (300, 200), "white").save(folder / "disentanglement.png")
    with contextlib.chdir(tmp_path):
        yield read_sources(["phase1", "clip_mer"], load_params())


def test_kinds_of_queries_and_what_fusion_is_worth(sources):
    section = kinds_section(sources)
    assert section.data["score"] == 65.07
    assert [one["kind"] for one in section.data["kinds"]] == ["NIR", "NIR+CP"]
    one, two, *_ = section.data["averages"]
    assert one["fusion"] is None
    assert two["fusion"] == {"mean": 0.4, "low": 0.18, "high": 0.62, "differs": True}


def test_body_and_clothes(sources):
    section = disentanglement_section(sources)
    assert list(section.data["columns"]) == ["linear body", "person r1"]
    first, second = section.data["rows"]
    assert first["embedding"] == "irra, both"
    assert first["values"]["person r1"] == {"value": 0.3, "low": 0.0, "high": 0.7}
    assert second["values"] == {"linear body": {"value": 100.0, "low": None, "high": None}}


def test_page_has_both(sources):
    page = as_html(build_sections(sources)).decode()
    assert "65.07" in page
    assert "NIR+CP" in page
    assert "[32.6, 36.8]" in page


def test_they_are_absent_where_nothing_was_measured(project):
    sources = read_sources(["phase1"], load_params())
    assert kinds_section(sources) is None
    assert disentanglement_section(sources) is None


def test_a_damaged_table_is_named(sources):
    Path("plots/clip_mer/kinds/kinds.csv").write_text("kind,queries\nNIR,many\n")
    with pytest.raises(ValueError, match=r"kinds\.csv: cannot be read"):
        kinds_section(sources)
