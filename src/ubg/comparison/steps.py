"""Each step of the ladder as a metric of DVC: what it gains over the row before, and how surely."""

from pathlib import Path

from ubg.comparison.ablation import AblationRow
from ubg.runtime.files import replace_folder, write_json

STEPS = Path("metrics/steps")


def write_steps(rows: list[AblationRow]) -> None:
    """Write `metrics/steps/<row>.json`: text-to-image R@1 on test against the step before.

    `step` is the difference in points, `low` and `high` are the ends of its 95 % interval over the
    queries; there are none where the test has too few identities.
    """
    with replace_folder(STEPS) as folder:
        for row in rows:
            if row.differences is None or row.intervals is None:
                continue
            step = {"step": row.differences["r1"]}
            if (ends := row.intervals["r1"].ends) is not None:
                step["low"], step["high"] = ends
            rounded = {name: round(value, 2) for name, value in step.items()}
            # A longer name than phase4_both would make the table of `dvc metrics show` too wide.
            name = row.name.removesuffix(" scores").replace(", ", "_")
            write_json(folder / f"{name}.json", rounded)
