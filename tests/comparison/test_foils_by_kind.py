"""Measures by kind and row of the ladder, by hand."""

import csv

import numpy as np
import pytest

from ubg.comparison.foils_by_kind import shares_by_kind, write_foils_by_kind
from ubg.comparison.foils_figure import write_foils
from ubg.foils.measuring.results import FoilResults

KINDS = ["hat", "hat", "hat", "binding", "binding", "shoes_colour"]
DRAWN = {
    "image_to_text": "110001",
    "text_to_image": "100111",
    "group": "100001",
    "paraphrase": "111110",
    "twin_r1": "101111",
    "r1": "100111",
    "twin_first": "010000",
}


def results(right, persons=(0, 0, 1, 1, 2, 2), kinds=KINDS):
    flags = {name: np.array([digit == "1" for digit in digits]) for name, digits in right.items()}
    return FoilResults(np.array(kinds), np.array(persons), flags)


def test_each_share_is_of_the_cases_of_its_kind():
    shares = shares_by_kind({"phase3": results(DRAWN)})
    found = {(one.kind, one.measure): (one.cases, round(one.percent.mean, 1)) for one in shares}
    hats = {measure: share for (kind, measure), share in found.items() if kind == "hat"}
    assert hats == {
        "image_to_text": (3, 66.7),
        "text_to_image": (3, 33.3),
        "group": (3, 33.3),
        "paraphrase": (3, 100.0),
        "twin_r1": (3, 66.7),
        "twin_errors": (2, 50.0),  # of the two whose own picture is not first
    }
    assert found["binding", "image_to_text"] == (2, 0.0)
    assert found["binding", "text_to_image"] == (2, 100.0)
    assert found["one attribute", "image_to_text"] == (4, 75.0)
    assert found["all", "image_to_text"] == (6, 50.0)
    assert ("binding", "twin_errors") not in found  # no picture is wrongly first
    assert {kind for kind, _ in found} == {"all", "one attribute", "binding", "hat", "shoes_colour"}


def test_a_second_score_is_a_row_of_its_own():
    by_both = {f"{name}_generative": digits for name, digits in DRAWN.items()}
    found = results(DRAWN | by_both | {"image_to_text_generative": "111111"})
    shares = shares_by_kind({"phase3": results(DRAWN), "phase4": found})
    hats = [one for one in shares if (one.kind, one.measure) == ("hat", "image_to_text")]
    assert [one.system for one in hats] == ["phase3", "phase4", "phase4, both scores"]
    assert [one.percent.mean for one in hats] == pytest.approx([200 / 3, 200 / 3, 100])


def test_the_csv_has_cases_chance_and_the_ends_of_intervals(tmp_path):
    # 40 persons, a case each: half are right by image to text, all by text to image.
    right = {"image_to_text": "10" * 20, "text_to_image": "1" * 40, "group": "10" * 20}
    found = results(right | {"paraphrase": "1000" * 10}, range(40), ["hat"] * 40)
    write_foils(tmp_path, {"phase3": found}, "a data set")
    write_foils_by_kind(tmp_path, {"phase3": found})
    with (tmp_path / "foils_by_kind.csv").open(newline="") as file:
        lines = {line["measure"]: line for line in csv.DictReader(file) if line["kind"] == "hat"}
    half, alike = lines["image_to_text"], lines["text_to_image"]
    assert (half["system"], half["cases"], half["chance"]) == ("phase3", "40", "25.000")
    assert half["percent"] == "50.000"
    # Of a mean of 40 with p = 0.5 the standard deviation is 7.9 points: 1.96 of them are 15.5.
    assert float(half["low"]) == pytest.approx(34.5, abs=2.5)
    assert float(half["high"]) == pytest.approx(65.5, abs=2.5)
    assert (alike["percent"], alike["low"], alike["high"]) == ("100.000", "", "")
    table = (tmp_path / "foils.md").read_text()
    assert table.startswith("# Foils of a data set")
    assert (
        "own caption, chance 25.\n\n| kind | phase3 |\n| --- | ---: |\n| all | **50.0** |" in table
    )
    assert "foil caption, chance 50.\n\n| kind | phase3 |\n| --- | ---: |\n| all | 25.0 |" in table
    assert max(map(len, table.partition("## ")[2].splitlines())) <= 120


def test_of_captions_alone_there_is_no_second_table(tmp_path):
    found = {"phase3": results({"caption": "110011"})}
    write_foils(tmp_path, found, "a data set")
    before = (tmp_path / "foils.md").read_text()
    write_foils_by_kind(tmp_path, found)
    assert (tmp_path / "foils.md").read_text() == before
    assert (
        "\nhat,phase3,caption,3,50.000,66.667,,\n" in (tmp_path / "foils_by_kind.csv").read_text()
    )


def test_without_a_case_nothing_is_written(tmp_path):
    write_foils_by_kind(tmp_path, {"phase3": FoilResults(np.array([]), np.array([]), {})})
    assert not list(tmp_path.iterdir())
