"""Compare evaluated systems: `python stages/compare.py phase1 phase2`.

The systems are named on the command line, so that the table holds those whose metrics the stage
depends on, and never what an earlier experiment left in `metrics/`.
"""

from ubg.runtime.cli import run_systems_stage
from ubg.systems import system_names


def main(systems: list[str]) -> None:
    """Read what the systems scored, write tables and charts to `plots/compare`.

    Each step of the ladder goes to `metrics/steps` as well.
    """
    from pathlib import Path

    from ubg.comparison.ablation import (
        INTERVAL_NOTE,
        Setting,
        ablation_rows,
        comparisons,
        draw_ablation,
        write_csv,
        write_markdown,
    )
    from ubg.comparison.curves import curves_folder, draw_learning, read_curves
    from ubg.comparison.foils_by_kind import write_foils_by_kind
    from ubg.comparison.foils_figure import write_foils
    from ubg.comparison.steps import write_steps
    from ubg.comparison.system_metrics import read_all_queries, read_metrics
    from ubg.figures.forest import draw_forest
    from ubg.foils.measuring.results import read_results
    from ubg.params import load_params
    from ubg.runtime.files import replace_folder
    from ubg.runtime.passed_over import was_passed_over

    params = load_params()
    systems = [name for name in systems if not was_passed_over(Path(f"metrics/{name}.json"))]
    metrics = read_metrics("metrics", systems)
    queries = read_all_queries(metrics)
    foils = {name: read_results(Path(f"plots/{name}/evaluation/foils.csv")) for name in metrics}
    rows = ablation_rows(metrics, queries)
    trained = {name: read_curves(curves_folder(name)) for name in metrics}
    learning = {name: found["val_r1"] for name, found in trained.items() if "val_r1" in found}
    dataset = params.data.label
    setting = Setting(dataset, params.data.synthetic, params.scale, params.seed, params.noise.rate)
    with replace_folder("plots/compare") as folder:
        write_markdown(folder / "ablation.md", rows, setting)
        write_csv(folder / "ablation.csv", rows, setting)
        draw_ablation(folder / "ablation.png", rows, dataset)
        title = f"Each step against the one before, {dataset}, test"
        draw_forest(folder / "differences.png", title, comparisons(rows), INTERVAL_NOTE)
        write_foils(folder, foils, dataset)
        write_foils_by_kind(folder, foils)
        if learning:
            draw_learning(folder / "learning.png", learning, dataset)
        print((folder / "ablation.md").read_text(encoding="utf-8"), end="")
    write_steps(rows)
    print("written to plots/compare")


if __name__ == "__main__":
    run_systems_stage(
        "Put the systems given into one table and one bar chart.", main, system_names()
    )
