import csv

import numpy as np
import pytest
from PIL import Image, ImageColor

from ubg.comparison.experiments import Experiment, flatten
from ubg.comparison.ladder import rung
from ubg.comparison.study import (
    generation_spread,
    group_experiments,
    parse_reference,
    reference_differences,
    retrieval_spread,
    shown,
    step_differences,
    varying_keys,
)
from ubg.comparison.study_tables import (
    draw_runs,
    study_comparisons,
    write_differences_csv,
    write_study_csv,
    write_study_markdown,
)
from ubg.comparison.system_metrics import SystemMetrics
from ubg.evaluation.queries import QueryResults
from ubg.figures.forest import draw_forest
from ubg.retrieval.bootstrap import ALIKE, TOO_FEW, Interval, paired_bootstrap

SYSTEMS = ["phase3", "phase4"]
BASE = {"dataset": "drawn", "scale": "tiny", "gen_weight": 1.0, "losses.sdm": 0.1}
QUERIES = 60


def experiment(name, seed, right, generation=None, queries=QUERIES, **changes):
    """`right`: how many of the queries each row answers at rank 1, spread by the seed."""
    ids = np.stack([np.arange(queries), np.arange(queries), np.arange(queries) // 3], axis=1)
    results, metrics = {}, {}
    for system, count in right.items():
        order = np.random.default_rng(seed).permutation(queries)
        share = np.full(queries, 0.5)
        results[system] = QueryResults(ids, np.where(order < count, 1, 50), share, share)
        t2i = {m: float(results[system].values(m).mean()) for m in ("r1", "r5", "r10", "map")}
        both = {"t2i": t2i | {"minp": 50.0}, "i2t": t2i | {"minp": 50.0}}
        content = {"test": both, "val": both, "last": {"test": both}}
        content |= {"generation": generation} if generation else {}
        if system in SYSTEMS:
            metrics[system] = SystemMetrics.model_validate(content)
    params = BASE | {key.replace("__", "."): value for key, value in changes.items()}
    return Experiment(name, "Drawn (synthetic)", seed, params, metrics, results)


@pytest.fixture
def groups():
    return group_experiments(
        [
            experiment("a", 2, {"phase3": 30, "phase4": 36}, {"ce": 4.0, "by": {"x": 1.0}}),
            experiment("b", 1, {"phase3": 24, "phase4": 36}, {"ce": 5.0, "note": "n"}),
            experiment("c", 1, {"phase3": 24, "phase4": 27}, {"ce": 6.0}, gen_weight=0.0),
            experiment("d", 3, {"phase3": 24, "phase4": 30}, {"ce": 6.0}, gen_weight=0.0),
        ]
    )


def test_groups_differ_in_more_than_the_seed(groups):
    assert [(group.label, list(group.runs)) for group in groups] == [
        ("gen_weight=0", [1, 3]),
        ("gen_weight=1", [1, 2]),
    ]
    assert [run.name for run in groups[1].runs.values()] == ["b", "a"]
    alone = group_experiments([experiment("a", 1, {}), experiment("b", 2, {})])
    assert [group.label for group in alone] == ["all runs"]


def test_groups_stand_in_the_order_of_their_numbers():
    weights = [10.0, 2.0, 0.5]
    found = group_experiments([experiment(str(w), 1, {}, gen_weight=w) for w in weights])
    assert [group.label for group in found] == ["gen_weight=0.5", "gen_weight=2", "gen_weight=10"]


def test_a_preset_varies_by_its_name_and_by_keys_that_have_two_values_in_one_preset():
    tiny, base = experiment("a", 1, {}), experiment("b", 1, {}, scale="base", losses__sdm=1.0)
    assert varying_keys([tiny, base]) == ["scale"]
    other = experiment("c", 1, {}, losses__sdm=0.3)
    assert varying_keys([tiny, base, other]) == ["scale", "losses.sdm"]


def test_the_same_run_twice_is_refused():
    with pytest.raises(ValueError, match="experiments a and b have the same params and seed"):
        group_experiments([experiment("a", 1, {}), experiment("b", 1, {}, gen_weight=1)])


def test_spread_by_hand(groups):
    spread = retrieval_spread(groups[1], "phase3")["r1"]  # 24 and 30 of 60
    assert (spread.seeds, spread.mean) == (2, 45.0)
    assert spread.deviation == pytest.approx(50**0.5)
    assert list(generation_spread(groups[1], "phase4")) == ["ce"]
    assert generation_spread(groups[1], "phase4")["ce"].mean == 4.5
    one = group_experiments([experiment("a", 1, {"phase3": 6})])[0]
    assert retrieval_spread(one, "phase3")["r1"].deviation is None
    assert generation_spread(one, "phase3") == {}


def test_systems_are_compared_over_the_mean_of_the_matched_runs(groups):
    found = step_differences(groups)
    assert [(d.heading, d.label) for d in found] == [
        ("phase4 – phase3", "gen_weight=0"),
        ("phase4 – phase3", "gen_weight=1"),
    ]
    runs = groups[1].runs
    per_query = [
        runs[seed].queries["phase4"].values("r1") - runs[seed].queries["phase3"].values("r1")
        for seed in (1, 2)
    ]
    expected = paired_bootstrap((per_query[0] + per_query[1]) / 2, np.arange(QUERIES) // 3)
    assert found[1].intervals["r1"] == expected
    # +12 and +6 of 60 queries.
    assert found[1].intervals["r1"].mean == pytest.approx(15)
    # Student's t of +20 and +10 points: 12.706 standard errors of 5.
    over_seeds = found[1].over_seeds["r1"]
    assert (over_seeds.mean, over_seeds.low) == pytest.approx((15, 15 - 12.706 * 5))
    alone = group_experiments([experiment("a", 1, {"phase4": 30})])
    assert step_differences(alone) == []


@pytest.fixture
def variants():
    """Three seeds of two variants and of none of the branch, beside two models."""
    off = {"phase3": 24, "phase3, two models": 30, "phase4": 27}
    right = {
        "shuffled": off | {"phase4, both scores": 27},
        "on": off | {"phase4, both scores": 42},
        "off": off,
    }
    params = {
        "shuffled": {"generation__shuffle_captions": True},
        "on": {},
        "off": {"generation__enable_gen": False},
    }
    base = {"generation__shuffle_captions": False, "generation__enable_gen": True}
    return group_experiments(
        [
            experiment(f"{kind}{seed}", seed, right[kind], **base | params[kind])
            for kind in params
            for seed in (1, 2, 3)
        ]
    )


def test_a_row_is_in_the_groups_that_have_it(variants, tmp_path):
    off, on, shuffled = variants
    assert off.label == "generation.shuffle_captions=false, generation.enable_gen=false"
    assert off.rows == ["phase3", "phase3, two models", "phase4"]
    assert on.rows == shuffled.rows == [*off.rows, "phase4, both scores"]
    assert retrieval_spread(on, "phase4, both scores")["r1"].mean == 70
    write_study_markdown(tmp_path / "s.md", "X", variants, step_differences(variants))
    text = (tmp_path / "s.md").read_text()
    assert text.count("| phase4, both scores | 1 2 3 |") == 2
    assert text.count("| phase3, two models | 1 2 3 | 50.00 ± 0.00 |") == 3
    draw_runs(tmp_path / "r.png", "X", variants, "r1")
    with Image.open(tmp_path / "r.png") as image:
        pixels = np.asarray(image.convert("RGB"))
    for row in on.rows:
        assert (pixels == ImageColor.getrgb(rung(row).colour)).all(axis=2).any()


def test_both_scores_are_compared_with_the_step_before_and_with_the_control(variants):
    found = {(d.heading, d.label): d for d in step_differences(variants)}
    on, shuffled = (group.label for group in variants[1:])
    control = "phase4, both scores – phase3, two models"
    assert set(found) == {
        ("phase3, two models – phase3", "any params"),
        ("phase4 – phase3", "any params"),
        ("phase4, both scores – phase3", on),
        ("phase4, both scores – phase3", shuffled),
        (control, on),
        (control, shuffled),
    }
    assert found[control, on].intervals["r1"].mean == pytest.approx(20)
    assert found[control, on].over_seeds["r1"].mean == pytest.approx(20)
    assert found[control, shuffled].intervals["r1"].mean == pytest.approx(-5)
    assert [c.colour for c in study_comparisons([found[control, on]], "r1")] == [
        rung("phase4, both scores").colour
    ]


def test_a_reference_is_compared_row_by_row(variants):
    shuffled = parse_reference("generation.shuffle_captions=true")
    assert [d.heading for d in reference_differences(variants, shuffled)] == [
        "phase4, both scores, against generation.shuffle_captions=true"
    ]
    # The branch reaches no other row, and without it there are no both scores.
    with pytest.raises(ValueError, match="nothing to compare with"):
        reference_differences(variants, parse_reference("generation.enable_gen=false"))


def test_groups_are_compared_over_the_seeds_in_common(groups):
    found = reference_differences(groups, parse_reference("gen_weight=0.0"))
    assert [(d.heading, d.label, d.seeds) for d in found] == [
        ("phase4, against gen_weight=0", "gen_weight=1", (1,)),
    ]
    assert found[0].intervals["r1"].mean == pytest.approx(15)  # 36 against 27 of 60
    assert found[0].over_seeds["r1"] is None


def test_a_reference_leaves_the_other_params_as_they_are():
    right, fewer = {"phase4": 30}, {"phase4": 20}
    found = group_experiments(
        [
            experiment("a", 1, right),
            experiment("b", 1, fewer, gen_weight=0.0),
            experiment("c", 1, right, losses__sdm=0.3),
            experiment("d", 1, right, losses__sdm=0.3, gen_weight=0.0),
            experiment("e", 1, right, losses__sdm=0.5),
        ]
    )
    labels = [d.label for d in reference_differences(found, parse_reference("gen_weight=0"))]
    assert labels == ["gen_weight=1, losses.sdm=0.1", "gen_weight=1, losses.sdm=0.3"]
    one = reference_differences(found, parse_reference("gen_weight=1,losses.sdm=0.1"))
    assert len(one) == 4


def test_a_reference_takes_lists_as_the_params_have_them():
    for written in ("[0.5, 1.0]", "[0.5,1]", "[0.5 1]"):
        found = parse_reference(f"generation.mask_ratio={written},gen_weight=1e-1")
        assert found == {"generation.mask_ratio": shown([0.5, 1.0]), "gen_weight": "0.1"}


def test_faults_are_one_line(groups):
    with pytest.raises(ValueError, match=r"seed does not vary; what does: gen_weight$"):
        reference_differences(groups, {"seed": "1"})
    with pytest.raises(ValueError, match="nothing to compare with gen_weight=7: no two groups"):
        reference_differences(groups, {"gen_weight": "7"})
    for text in ("gen_weight", "gen_weight=", "=1", "a=1,b"):
        with pytest.raises(ValueError, match="is not of the form key=value"):
            parse_reference(text)

    right = {"phase3": 6, "phase4": 9}
    apart = [experiment("a", 1, right), experiment("b", 2, right, gen_weight=0.0)]
    with pytest.raises(ValueError, match="no seed in common"):
        reference_differences(group_experiments(apart), {"gen_weight": "0"})
    shorter = [experiment("a", 1, right), experiment("b", 2, right, queries=30)]
    with pytest.raises(ValueError, match=r"seed 2 and seed 1 hold other queries \(30 and 60"):
        step_differences(group_experiments(shorter))


def test_values_are_shown_alike_however_they_were_written():
    assert shown(1) == shown(1.0) == "1"
    assert shown(True) == "true"
    assert shown((0.5, 1.0)) == shown([0.5, 1]) == "[0.5 1]"
    assert shown(None) == "None"
    assert parse_reference("lr=1e-5, m=[0.5 1],f=true") == {
        "lr": shown(0.00001),
        "m": "[0.5 1]",
        "f": "true",
    }


def test_params_are_flat_and_without_what_makes_no_group():
    from ubg.params import load_params

    flat = flatten(load_params())
    assert flat["generation.decoder"] == "parallel"
    assert flat["synthetic"] is True
    assert "losses.sdm" in flat
    assert not {"seed", "evaluate_on"} & flat.keys()
    assert "synthpedes.seed" in flat


def test_tables_and_figures(groups, tmp_path):
    differences = step_differences(groups)
    write_study_markdown(tmp_path / "s.md", "X (synthetic)", groups, differences)
    text = (tmp_path / "s.md").read_text()
    assert text.startswith("# Study on X (synthetic)\n")
    assert "| gen_weight=1 | phase3 | 1 2 | 45.00 ± 7.07 |" in text
    assert "## Generation of phase4, validation" in text
    assert "| gen_weight=1 | 1 2 | 4.500 ± 0.707 |" in text
    assert "| phase4 – phase3 | gen_weight=1 | 1 2 | +15.00 [" in text
    assert " seeds [-48.53, +78.53] |" in text

    write_study_csv(tmp_path / "s.csv", "X", groups)
    write_differences_csv(tmp_path / "d.csv", "X", differences)
    with (tmp_path / "s.csv").open(newline="") as file:
        table = {(r["params"], r["system"], r["metric"]): r for r in csv.DictReader(file)}
    assert table["gen_weight=1", "phase3", "r1"]["sd"] == "7.0711"
    assert table["gen_weight=1", "phase4", "generation.ce"]["mean"] == "4.5000"
    with (tmp_path / "d.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["metric"] == "r1"]
    assert [row["mean"] for row in rows] == ["7.5000", "15.0000"]

    comparisons = study_comparisons(differences, "map")
    assert [c.label for c in comparisons] == ["gen_weight=0 (2 runs)", "gen_weight=1 (2 runs)"]
    assert comparisons[0].interval == differences[0].intervals["map"]
    assert comparisons[0].over_seeds == differences[0].over_seeds["map"]


def test_groups_without_the_branch_have_no_generation_metrics(tmp_path):
    right = {"phase4": 30}
    off = experiment("a", 1, right, gen_weight=0.0)
    found = group_experiments([off, experiment("b", 1, right, {"ce": 4.0})])
    write_study_markdown(tmp_path / "s.md", "X", found, [])
    text = (tmp_path / "s.md").read_text()
    assert "| gen_weight=0 | 1 | – |" in text
    assert "| gen_weight=1 | 1 | 4.000 |" in text
    assert "Differences" not in text


def test_a_dot_per_run_and_a_colour_per_system(groups, tmp_path):
    for name in "ab":
        draw_runs(tmp_path / name, "X (synthetic)", groups, "r1")
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    with Image.open(tmp_path / "a") as image:
        pixels = np.asarray(image.convert("RGB"))
    for system in SYSTEMS:
        assert (pixels == ImageColor.getrgb(rung(system).colour)).all(axis=2).any()


def test_of_few_identities_there_is_a_mean_alone_and_a_line_that_says_so(tmp_path):
    few = [
        experiment(f"{weight}{seed}", seed, right, queries=30, gen_weight=weight)
        for weight, right in ((0.0, {"phase3": 9, "phase4": 9}), (1.0, {"phase3": 9, "phase4": 15}))
        for seed in (1, 2)
    ]
    groups = group_experiments(few)
    against = reference_differences(groups, {"gen_weight": "0"})
    assert [d.heading for d in against] == ["phase4, against gen_weight=0"]  # phase3 is the same
    assert against[0].intervals["r1"] == Interval(20.0, missing=TOO_FEW)
    write_study_markdown(tmp_path / "a.md", "X", groups, against)
    table = (tmp_path / "a.md").read_text()
    assert "| +20.00 [–] seeds [–] |" in table  # each seed has 6 queries more of 30
    assert table.endswith(f"\n\n{TOO_FEW}\n\n{ALIKE}\n")
    write_differences_csv(tmp_path / "a.csv", "X", against)
    assert ",r1,20.0000,,,,\n" in (tmp_path / "a.csv").read_text()
    draw_forest(tmp_path / "a.png", "X", study_comparisons(against, "r1"), "note")
