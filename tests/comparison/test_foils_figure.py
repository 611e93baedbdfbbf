"""Systems on the foils side by side: which rows there are, and their steps by hand."""

import re

import numpy as np
import pytest
from PIL import Image

from ubg.comparison.foils_figure import series_of, steps_by_kind, write_foils
from ubg.foils.measuring.results import FoilResults

KINDS = np.array(["hat", "binding", "hat", "binding", "bag", "hat"])
PERSONS = np.array([0, 0, 1, 1, 2, 2])


def results(group, **others):
    right = {"group": group, "paraphrase": "111111", **others}
    flags = {name: np.array([digit == "1" for digit in digits]) for name, digits in right.items()}
    return FoilResults(KINDS, PERSONS, flags)


PHASE3 = results("010100")
PHASE4 = results("010000", group_generative="111101", paraphrase_generative="011111")


def test_a_second_score_is_a_row_of_its_own_whose_step_before_is_the_ladders():
    series = series_of({"phase3": PHASE3, "phase4": PHASE4}, "group")
    assert [one.row for one in series] == ["phase3", "phase4", "phase4, both scores"]
    steps = steps_by_kind(PHASE3, series)
    assert list(steps) == ["phase4 – phase3", "phase4, both scores – phase3"]
    by_embeddings, by_both = steps.values()
    assert {kind: interval.mean for kind, interval in by_both.items()} == {
        "one attribute": 75.0,
        "binding": 0.0,
        "paraphrase": pytest.approx(-100 / 6),
        "bag": 0.0,
        "hat": 100.0,
    }
    assert by_embeddings["binding"].mean == -50.0


def test_table_and_figure_name_every_row(tmp_path):
    write_foils(tmp_path, {"phase3": PHASE3, "phase4": PHASE4}, "a data set")
    table = (tmp_path / "foils.md").read_text()
    assert "| kind | cases | phase3 | phase4 | phase4, both scores |" in table
    assert "| binding | 2 | 100.0 [–] | 50.0 [–]" in table
    assert "No interval over fewer than 20 persons" in table
    assert "chance 16.7" in table
    assert Image.open(tmp_path / "foils.png").width > 500


def test_there_are_intervals_where_there_are_persons_enough_and_not_all_agree(tmp_path):
    def of(paraphrase):
        right = {"group": np.ones(40, bool), "paraphrase": paraphrase}
        return FoilResults(np.repeat(["binding", "hat"], 20), np.arange(40) // 2, right)

    found = {"phase2": of(np.arange(40) % 4 < 2), "phase3": of(np.ones(40, bool))}
    write_foils(tmp_path, found, "a data set")
    table = (tmp_path / "foils.md").read_text()
    assert "| binding | 20 | 100.0 [–] | 100.0 [–] |" in table  # of ten persons
    assert re.search(r"\| paraphrase \| 40 \| 50\.0 \[[0-9.]+, [0-9.]+\] \| 100\.0 \[–\] \|", table)
    assert "\n\nNo interval over fewer than 20 persons" in table
    assert "\n\nNo interval where all runs, or all persons, agree" in table


def test_systems_measured_on_other_cases_are_refused(tmp_path):
    other = FoilResults(KINDS, PERSONS + 1, PHASE3.right)
    with pytest.raises(ValueError, match="phase3 and phase4 were measured on other foils"):
        write_foils(tmp_path, {"phase3": PHASE3, "phase4": other}, "a data set")
