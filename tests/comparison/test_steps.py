"""Each step of the ladder as a metric of DVC."""

import json

from ubg.comparison.ablation import AblationRow
from ubg.comparison.steps import write_steps
from ubg.retrieval.bootstrap import Interval


def test_a_file_for_each_row_that_has_a_step_before_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rows = [
        AblationRow("irra", {"r1": 57.0}, None, None, None),
        AblationRow("phase1", {"r1": 59.0}, "irra", {"r1": 2.0}, {"r1": Interval(2.0, -0.5, 4.5)}),
        AblationRow(
            "phase4, both scores",
            {"r1": 70.0},
            "phase3",
            {"r1": 11.0},
            {"r1": Interval(11.0, missing="too few identities")},
        ),
    ]
    write_steps(rows)
    steps = {
        path.name: json.loads(path.read_text()) for path in (tmp_path / "metrics/steps").iterdir()
    }
    assert steps == {
        "phase1.json": {"step": 2.0, "low": -0.5, "high": 4.5},
        "phase4_both.json": {"step": 11.0},
    }
