"""Aggregate experiments over their seeds: `python stages/study.py --reference gen_weight=0`.

Not a stage of the pipeline: it reads the experiments that `dvc exp list` names, wherever they ran.
"""

import argparse

from ubg.cli import exit_cleanly
from ubg.report.queries import METRICS
from ubg.systems import SYSTEMS

COMPARED = ("phase3", "phase4")


def main(arguments: argparse.Namespace) -> None:
    """Write tables and figures to `plots/study`."""
    from tqdm import tqdm

    from ubg.files import replace_folder
    from ubg.report.ablation import COLUMNS
    from ubg.report.experiments import list_experiments, read_experiment
    from ubg.report.forest import draw_forest
    from ubg.report.study import (
        group_experiments,
        parse_reference,
        reference_differences,
        system_differences,
    )
    from ubg.report.study_tables import (
        NOTE,
        draw_runs,
        study_comparisons,
        write_differences_csv,
        write_study_csv,
        write_study_markdown,
    )

    systems = [name for name in SYSTEMS if name in arguments.systems]
    reference = parse_reference(arguments.reference) if arguments.reference else None
    names = arguments.experiment or list_experiments(baseline=arguments.baseline)
    experiments = [
        read_experiment(name, systems) for name in tqdm(names, desc="reading", unit="experiment")
    ]
    groups = group_experiments(experiments)
    differences = system_differences(groups, systems)
    if reference:
        differences += reference_differences(groups, systems, reference)

    dataset = ", ".join(dict.fromkeys(experiment.dataset for experiment in experiments))
    with replace_folder("plots/study") as folder:
        write_study_markdown(folder / "study.md", dataset, groups, systems, differences)
        write_study_csv(folder / "study.csv", dataset, groups, systems)
        write_differences_csv(folder / "differences.csv", dataset, differences)
        draw_runs(folder / "runs.png", dataset, groups, systems, arguments.metric)
        title = f"Differences in {COLUMNS[arguments.metric]} on {dataset}, test"
        comparisons = study_comparisons(differences, arguments.metric)
        draw_forest(folder / "differences.png", title, comparisons, NOTE)
        print((folder / "study.md").read_text(encoding="utf-8"), end="")
    print("written to plots/study")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Aggregate experiments over their seeds.")
    parser.add_argument(
        "experiment", nargs="*", help="names from `dvc exp list`; default: all of the baseline"
    )
    parser.add_argument("--baseline", default="HEAD", help="the commit that they started from")
    parser.add_argument(
        "--systems", nargs="+", choices=SYSTEMS, default=COMPARED, help="default: %(default)s"
    )
    parser.add_argument("--metric", choices=METRICS, default="r1", help="the one in the figures")
    parser.add_argument("--reference", help="compare all with the runs of, say, gen_weight=0")
    chosen = parser.parse_args()
    exit_cleanly(lambda: main(chosen))
