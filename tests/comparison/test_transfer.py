import csv
import json
from pathlib import Path

import pytest

from ubg.comparison.transfer import compare_other, transfer_rows
from ubg.evaluation.overlap import overlap_warning
from ubg.params import load_other, load_params

ROOT = Path(__file__).parents[2]
METRICS = ("r1", "r5", "r10", "map", "minp")


def with_dataset(name):
    """Params of an experiment on the data set `name`."""
    return load_other(name, ROOT)


def write_metrics(path, t2i, i2t):
    test = {"t2i": dict.fromkeys(METRICS, t2i), "i2t": dict.fromkeys(METRICS, i2t)}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"test": test, "val": test, "last": {"test": test}}))


@pytest.fixture
def measured(tmp_path, monkeypatch):
    """irra and phase1 on their own data set, and on RSTPReid."""
    monkeypatch.chdir(tmp_path)
    for place, system in enumerate(("irra", "phase1")):
        write_metrics(Path(f"metrics/{system}.json"), 60.0 + place, 50.0)
        write_metrics(Path(f"metrics/others/{system}_rstpreid.json"), 30.0 + place, 20.0)


def test_table_has_the_own_test_split_then_the_other(measured):
    compare_other(["phase1", "irra"], with_dataset("cuhk_pedes"), with_dataset("rstpreid"))
    text = Path("plots/others/rstpreid/transfer.md").read_text()
    assert text.startswith("# CUHK-PEDES → RSTPReid\n")
    cells = [
        [c.strip() for c in line.split("|")[1:-1]] for line in text.splitlines() if "|" in line
    ]
    assert [row[:3] + row[-1:] for row in cells[2:]] == [
        ["CUHK-PEDES", "irra", "60.00", "50.00"],
        ["CUHK-PEDES", "phase1", "61.00", "50.00"],
        ["RSTPReid", "irra", "30.00", "20.00"],
        ["RSTPReid", "phase1", "31.00", "20.00"],
    ]
    assert "warning" not in text
    with Path("plots/others/rstpreid/transfer.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["tested_on"], row["system"], row["r1"]) for row in rows] == [
        ("CUHK-PEDES", "irra", "60.0000"),
        ("CUHK-PEDES", "phase1", "61.0000"),
        ("RSTPReid", "irra", "30.0000"),
        ("RSTPReid", "phase1", "31.0000"),
    ]
    assert {row["trained_on"] for row in rows} == {"CUHK-PEDES"}


def test_both_scores_are_a_row_wherever_they_were_measured(measured):
    path = Path("metrics/phase4.json")
    write_metrics(path, 62.0, 50.0)
    found = json.loads(path.read_text())
    both = {f"{name}_generative": found["test"]["t2i"] | {"r1": 70.0} for name in ("t2i", "i2t")}
    path.write_text(json.dumps(found | {"test": found["test"] | both}))
    write_metrics(Path("metrics/others/phase4_rstpreid.json"), 32.0, 20.0)
    rows = transfer_rows(["irra", "phase4"], with_dataset("cuhk_pedes"), with_dataset("rstpreid"))
    assert [(row.tested_on, row.name, row.values["r1"]) for row in rows] == [
        ("CUHK-PEDES", "irra", 60.0),
        ("CUHK-PEDES", "phase4", 62.0),
        ("CUHK-PEDES", "phase4, both scores", 70.0),
        ("RSTPReid", "irra", 30.0),
        ("RSTPReid", "phase4", 32.0),
    ]


def test_data_sets_of_one_source_are_warned_about_and_no_others():
    icfg, rstp, cuhk = map(with_dataset, ("icfg_pedes", "rstpreid", "cuhk_pedes"))
    assert "both take their images from MSMT17" in overlap_warning(icfg, rstp)
    assert overlap_warning(icfg, icfg) is None  # its splits are disjoint
    assert overlap_warning(cuhk, rstp) is None
    drawn = load_params(ROOT)
    assert drawn.data.source is None
    assert overlap_warning(drawn, drawn.model_copy(update={"dataset": "another"})) is None


def test_warning_is_in_the_table_and_beside_the_other_rows_alone(measured):
    compare_other(["irra"], with_dataset("icfg_pedes"), with_dataset("rstpreid"))
    assert (
        "**warning: ICFG-PEDES and RSTPReid"
        in Path("plots/others/rstpreid/transfer.md").read_text()
    )
    with Path("plots/others/rstpreid/transfer.csv").open(newline="") as file:
        own, other = csv.DictReader(file)
    assert own["warning"] == ""
    assert "MSMT17" in other["warning"]


def test_synthetic_data_say_so_in_the_table(measured):
    compare_other(["irra"], load_params(ROOT), with_dataset("rstpreid"))
    text = Path("plots/others/rstpreid/transfer.md").read_text()
    assert text.startswith("# SynthPEDES (synthetic) → RSTPReid\n")
    assert "| SynthPEDES (synthetic) | irra |" in text


def test_missing_and_malformed_metrics_say_what_to_run(measured):
    cuhk, rstp = with_dataset("cuhk_pedes"), with_dataset("rstpreid")
    path = Path("metrics/others/phase1_rstpreid.json")
    path.write_text('{"test": {}}')
    again = "run `dvc repro evaluate_phase1_on@rstpreid`"
    with pytest.raises(ValueError, match=rf"phase1_rstpreid\.json: test\.t2i: .*{again}"):
        transfer_rows(["irra", "phase1"], cuhk, rstp)
    path.unlink()
    with pytest.raises(ValueError, match=rf"phase1_rstpreid\.json: missing; {again}"):
        transfer_rows(["irra", "phase1"], cuhk, rstp)
