"""Compare evaluated systems: `python stages/compare.py phase1 phase2`.

The systems are named on the command line, so that the table holds those whose metrics the stage
depends on, and never what an earlier experiment left in `metrics/`.
"""

from ubg.cli import run_systems_stage
from ubg.systems import SYSTEMS


def main(systems: list[str]) -> None:
    """Read `metrics/<system>.json`, write the table and the bar chart to `plots/compare`."""
    from ubg.files import replace_folder
    from ubg.params import load_params
    from ubg.report.ablation import (
        ablation_rows,
        draw_ablation,
        read_metrics,
        write_csv,
        write_markdown,
    )
    from ubg.report.style import dataset_label

    params = load_params()
    rows = ablation_rows(read_metrics("metrics", systems))
    dataset = dataset_label(params.data.title, params.data.synthetic)
    context = (dataset, params.data.synthetic, params.scale, params.seed)
    with replace_folder("plots/compare") as folder:
        write_markdown(folder / "ablation.md", rows, *context)
        write_csv(folder / "ablation.csv", rows, *context)
        draw_ablation(folder / "ablation.png", rows, dataset)
        print((folder / "ablation.md").read_text(encoding="utf-8"), end="")
    print("written to plots/compare")


if __name__ == "__main__":
    run_systems_stage("Put the systems given into one table and one bar chart.", main, SYSTEMS)
