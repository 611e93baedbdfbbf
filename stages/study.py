"""Aggregate experiments over their seeds: `python stages/study.py --reference gen_weight=0`.

Not a stage of the pipeline: it reads the experiments that `dvc exp list` names, wherever they ran.
"""

import argparse

from ubg.comparison.ladder import STUDIED, in_order, two_models
from ubg.evaluation.queries import METRICS
from ubg.runtime.cli import run_script
from ubg.systems import system_names


def main(arguments: argparse.Namespace) -> None:
    """Write tables and figures to `plots/study`."""
    from tqdm import tqdm

    from ubg.comparison.experiments import list_experiments, read_experiment
    from ubg.comparison.study import (
        group_experiments,
        parse_reference,
        reference_differences,
        step_differences,
    )
    from ubg.comparison.study_tables import (
        NOTE,
        draw_runs,
        study_comparisons,
        write_differences_csv,
        write_study_csv,
        write_study_markdown,
    )
    from ubg.comparison.system_metrics import COLUMNS
    from ubg.comparison.two_models import with_two_models
    from ubg.figures.forest import draw_forest
    from ubg.params import load_params
    from ubg.runtime.files import replace_folder

    systems = in_order([*arguments.systems, *arguments.two_models])
    in_order(two_models(system) for system in arguments.two_models)  # each needs a row of its own
    reference = parse_reference(arguments.reference) if arguments.reference else None
    names = arguments.experiment or list_experiments(baseline=arguments.baseline)
    experiments = [
        read_experiment(name, systems) for name in tqdm(names, desc="reading", unit="experiment")
    ]
    groups = group_experiments(experiments)
    for system in arguments.two_models:
        groups = with_two_models(groups, system, load_params())
    differences = step_differences(groups)
    if reference:
        differences += reference_differences(groups, reference)

    dataset = ", ".join(dict.fromkeys(experiment.dataset for experiment in experiments))
    with replace_folder("plots/study") as folder:
        write_study_markdown(folder / "study.md", dataset, groups, differences)
        write_study_csv(folder / "study.csv", dataset, groups)
        write_differences_csv(folder / "differences.csv", dataset, differences)
        draw_runs(folder / "runs.png", dataset, groups, arguments.metric)
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
        "--systems", nargs="+", choices=system_names(), default=STUDIED, help="default: %(default)s"
    )
    parser.add_argument("--metric", choices=METRICS, default="r1", help="the one in the figures")
    parser.add_argument(
        "--two-models",
        nargs="+",
        choices=system_names(),
        default=(),
        help="systems of which two seeds also rank together, by their cosines added",
    )
    parser.add_argument("--reference", help="compare all with the runs of, say, gen_weight=0")
    chosen = parser.parse_args()
    run_script(lambda: main(chosen))
