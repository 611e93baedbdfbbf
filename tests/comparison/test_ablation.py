import csv
import json

import numpy as np
import pytest
from PIL import Image, ImageColor

from ubg.comparison.ablation import (
    Setting,
    ablation_rows,
    comparisons,
    draw_ablation,
    write_csv,
    write_markdown,
)
from ubg.comparison.ladder import LADDER, rung
from ubg.comparison.system_metrics import queries_files, read_metrics
from ubg.evaluation.queries import QueryResults
from ubg.retrieval.bootstrap import TOO_FEW, Interval, paired_bootstrap

SETTING = Setting("Drawn (synthetic)", True, "tiny", seed=7, noise=0.25)


def metrics(r1, by_both=None):
    t2i = {"r1": r1, "r5": r1 + 20, "r10": r1 + 30, "map": r1 - 5, "minp": r1 - 10}
    both = {"t2i": t2i, "i2t": t2i | {"r1": r1 + 4}}
    elsewhere = {"t2i": t2i | {"r1": 99.0}, "i2t": t2i}
    if by_both is not None:
        second = metrics(by_both)["test"]
        both |= {f"{direction}_generative": values for direction, values in second.items()}
    return {"test": both, "val": elsewhere, "last": {"test": elsewhere}}


@pytest.fixture
def folder(tmp_path):
    for system, r1 in {"phase1": 40.25, "phase2": 52.5, "phase4": 50.0, "irra": 45.0}.items():
        (tmp_path / f"{system}.json").write_text(json.dumps(metrics(r1) | {"generation": {}}))
    return tmp_path


def query_results(system, queries=60):
    """Three queries of each identity; the shares are those of no real ranking."""
    rng = np.random.default_rng(LADDER.index(rung(system)))
    ids = np.stack([np.arange(queries), np.arange(queries), np.arange(queries) // 3], axis=1)
    shares = rng.uniform(size=(2, queries))
    return QueryResults(ids, rng.integers(1, 20, queries), *shares)


def rows_of(folder, *systems):
    queries = {system: query_results(system) for system in systems}
    return ablation_rows(read_metrics(folder, systems), queries)


def test_only_the_systems_asked_for_in_the_order_of_the_ladder(folder):
    assert list(read_metrics(folder, ["phase4", "phase1", "phase1"])) == ["phase1", "phase4"]


def test_differences_are_to_the_step_before_where_it_was_evaluated(folder):
    irra, phase1, phase2, phase4 = rows_of(folder, "phase4", "phase2", "phase1", "irra")
    assert irra.step_before is None
    assert irra.differences is None
    assert irra.intervals is None
    assert (phase1.step_before, phase2.step_before) == ("irra", "phase1")
    assert phase1.differences["r1"] == -4.75
    assert phase2.differences == dict.fromkeys(("r1", "r5", "r10", "map", "minp", "i2t_r1"), 12.25)
    assert phase4.step_before is None  # phase3 is absent: not compared with phase2
    assert phase4.differences is None
    assert phase2.values["r1"] == 52.5  # of the selected weights on test
    assert phase2.values["i2t_r1"] == 56.5


@pytest.fixture
def second_score(folder):
    """The rows where phase 4 has a second score, of queries of its own."""
    (folder / "phase3.json").write_text(json.dumps(metrics(48.0)))
    (folder / "phase4.json").write_text(json.dumps(metrics(50.0, by_both=60.0)))
    found = read_metrics(folder, ["phase3", "phase4"])
    return ablation_rows(found, {name: query_results(name) for name in queries_files(found)})


def test_both_scores_are_a_row_of_their_own_compared_with_the_same_step(second_score):
    phase3, alone, both = second_score
    assert [row.name for row in second_score] == ["phase3", "phase4", "phase4, both scores"]
    assert phase3.step_before is None
    assert alone.step_before == both.step_before == "phase3"
    assert (alone.values["r1"], both.values["r1"], both.values["i2t_r1"]) == (50.0, 60.0, 64.0)
    assert (alone.differences["r1"], both.differences["r1"]) == (2.0, 12.0)
    means = [row.intervals["map"].mean for row in (alone, both)]
    for mean, name in zip(means, ("phase4", "phase4, both scores"), strict=True):
        ours, theirs = query_results(name).values("map"), query_results("phase3").values("map")
        assert mean == pytest.approx(np.mean(ours - theirs))


def test_results_per_query_lie_beside_each_other(folder, second_score):
    assert queries_files(read_metrics(folder, ["irra", "phase4"])) == {
        "irra": "plots/irra/evaluation/queries.csv",
        "phase4": "plots/phase4/evaluation/queries.csv",
        "phase4, both scores": "plots/phase4/evaluation/queries_generative.csv",
    }


def test_both_scores_are_in_tables_and_figures(second_score, tmp_path):
    write_markdown(tmp_path / "a.md", second_score, SETTING)
    text = (tmp_path / "a.md").read_text()
    assert "| phase4, both scores | 60.00 (+12.00) |" in text
    assert "| phase4, both scores – phase3 | " in text
    write_csv(tmp_path / "a.csv", second_score, SETTING)
    with (tmp_path / "a.csv").open(newline="") as file:
        last = list(csv.DictReader(file))[-1]
    assert (last["system"], last["compared_with"]) == ("phase4, both scores", "phase3")
    assert float(last["r1_difference"]) == 12
    draw_ablation(tmp_path / "a.png", second_score, "X")
    with Image.open(tmp_path / "a.png") as image:
        pixels = np.asarray(image.convert("RGB"))
    colours = [rung(row.name).colour for row in second_score]
    assert all((pixels == ImageColor.getrgb(colour)).all(axis=2).any() for colour in colours)
    assert [c.group for c in comparisons(second_score)][-1] == "phase4, both scores – phase3"


def test_intervals_are_those_of_the_differences_per_query(folder):
    row = rows_of(folder, "phase1", "phase2")[1]
    ours, theirs = query_results("phase2"), query_results("phase1")
    assert list(row.intervals) == ["r1", "r5", "r10", "map", "minp"]
    difference_Q = ours.average_precision - theirs.average_precision
    expected = paired_bootstrap(100 * difference_Q, np.arange(60) // 3)
    assert row.intervals["map"].low == pytest.approx(expected.low)
    assert row.intervals["r5"].mean == pytest.approx(
        100 * (np.mean(ours.first_rank <= 5) - np.mean(theirs.first_rank <= 5))
    )


def test_systems_with_other_queries_are_not_compared(folder):
    queries = {"phase1": query_results("phase1", 59), "phase2": query_results("phase2")}
    metrics_of = read_metrics(folder, queries)
    with pytest.raises(ValueError, match=r"phase2 and phase1 hold other queries \(60 and 59"):
        ablation_rows(metrics_of, queries)


def test_no_table_mixes_queries_even_of_systems_that_are_not_compared(folder):
    queries = {"irra": query_results("irra", 59), "phase4": query_results("phase4")}
    with pytest.raises(ValueError, match=r"phase4 and irra hold other queries \(60 and 59"):
        ablation_rows(read_metrics(folder, queries), queries)


def test_comparisons_are_grouped_by_step_in_the_colour_of_the_system(folder):
    found = comparisons(rows_of(folder, "irra", "phase1", "phase2", "phase4"))
    assert [c.group for c in found] == 5 * ["phase1 – irra"] + 5 * ["phase2 – phase1"]
    assert [c.label for c in found[5:]] == ["R@1", "R@5", "R@10", "mAP", "mINP"]
    assert {c.colour for c in found[5:]} == {rung("phase2").colour}


def test_markdown_table_of_intervals(folder, tmp_path):
    row = rows_of(folder, "phase1", "phase2")[1]
    row.intervals.update(r1=Interval(2.0, 0.5, 3.25), r5=Interval(-0.001, -1.0, 1.0))
    write_markdown(tmp_path / "a.md", [row], SETTING)
    *_, line, _, note = (tmp_path / "a.md").read_text().splitlines()
    assert line.startswith("| phase2 – phase1 | **+2.00** [+0.50, +3.25] | +0.00 [-1.00, +1.00] |")
    assert note.startswith("Bold: the interval excludes zero.")
    assert "the noise of the seed comes on top" in note


def test_of_few_identities_tables_have_means_alone_and_say_so(folder, tmp_path):
    row = rows_of(folder, "phase1", "phase2")[1]
    row.intervals.update(dict.fromkeys(row.intervals, Interval(25.0, missing=TOO_FEW)))
    write_markdown(tmp_path / "a.md", [row], SETTING)
    *_, line, _, _, _, note = (tmp_path / "a.md").read_text().splitlines()
    assert line.startswith("| phase2 – phase1 | +25.00 [–] | +25.00 [–] |")
    assert note == TOO_FEW
    write_csv(tmp_path / "a.csv", [row], SETTING)
    with (tmp_path / "a.csv").open(newline="") as file:
        (line,) = csv.DictReader(file)
    assert (line["r1_low"], line["r1_high"]) == ("", "")


def test_a_single_system_has_no_table_of_intervals(folder, tmp_path):
    write_markdown(tmp_path / "a.md", rows_of(folder, "phase2"), SETTING)
    assert "interval" not in (tmp_path / "a.md").read_text()


def test_markdown(folder, tmp_path):
    write_markdown(tmp_path / "a.md", rows_of(folder, "phase1", "phase2"), SETTING)
    lines = (tmp_path / "a.md").read_text().splitlines()
    assert lines[0] == "# Ablation on Drawn (synthetic)"
    assert "- synthetic: yes, drawn by a program" in lines
    assert "- scale: tiny" in lines
    assert "- seed: 7, one run per system" in lines
    assert "- training captions at other people's images: 25 % (noise.rate)" in lines
    table = [line for line in lines if line.startswith("|")][:4]
    assert table[2:] == [
        "| phase1 | 40.25 | 60.25 | 70.25 | 35.25 | 30.25 | 44.25 | – |",
        "| phase2 | 52.50 (+12.25) | 72.50 (+12.25) | 82.50 (+12.25) | 47.50 (+12.25) "
        "| 42.50 (+12.25) | 56.50 (+12.25) | phase1 |",
    ]
    assert len({line.count("|") for line in table}) == 1


def test_csv(folder, tmp_path):
    write_csv(tmp_path / "a.csv", rows_of(folder, "phase1", "irra"), SETTING)
    with (tmp_path / "a.csv").open(newline="") as file:
        irra, phase1 = csv.DictReader(file)
    assert (irra["compared_with"], irra["r1_difference"]) == ("", "")
    assert phase1["compared_with"] == "irra"
    assert float(phase1["r1"]) == 40.25
    assert float(phase1["map_difference"]) == -4.75
    interval = rows_of(folder, "phase1", "irra")[1].intervals["map"]
    assert float(phase1["map_low"]) == pytest.approx(interval.low, abs=1e-4)
    assert float(phase1["map_high"]) == pytest.approx(interval.high, abs=1e-4)
    assert irra["map_low"] == ""
    assert (phase1["dataset"], phase1["scale"], phase1["seed"]) == (
        "Drawn (synthetic)",
        "tiny",
        "7",
    )


@pytest.mark.parametrize("systems", [["phase2"], ["irra", "phase1", "phase2", "phase4"]])
def test_bars_are_as_high_as_their_values(folder, tmp_path, systems):
    path = tmp_path / "a.png"
    rows = rows_of(folder, *systems)
    draw_ablation(path, rows, "X")
    with Image.open(path) as image:
        pixels = np.asarray(image.convert("RGB"))
    row = next(row for row in rows if row.name == "phase2")
    colour = [int(rung("phase2").colour[place : place + 2], 16) for place in (1, 3, 5)]
    legend = int(0.93 * len(pixels))
    heights = (pixels[:legend] == colour).all(axis=2).sum(axis=0)
    first_bar, highest_bar = heights[np.flatnonzero(heights)[3]], heights.max()
    expected = row.values["r10"] / row.values["r1"]
    assert highest_bar / first_bar == pytest.approx(expected, rel=0.02)


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        ('{"test": ', "cannot be read"),
        (b"\xff\xfe", "cannot be read"),
        ("[]", "(top level)"),
        (json.dumps({"test": metrics(40)["test"]}), "val: missing"),
        (json.dumps(metrics(71)), "test.t2i.r10: "),
        (json.dumps(metrics(40)).replace("40", '"40"', 1), "test.t2i.r1: "),
        (json.dumps(metrics(40)).replace("40", "NaN", 1), "test.t2i.r1: "),
    ],
)
def test_malformed_metrics_are_one_clear_line(tmp_path, content, fault):
    path = tmp_path / "phase1.json"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(ValueError, match="evaluate_phase1") as error:
        read_metrics(tmp_path, ["phase1"])
    assert str(error.value).startswith(f"{path}: {fault}")
    assert "\n" not in str(error.value)


def test_missing_metrics_name_the_command_that_makes_them(tmp_path):
    with pytest.raises(ValueError, match=r"phase2\.json: missing; run `dvc repro evaluate_phase2`"):
        read_metrics(tmp_path, ["phase2"])
