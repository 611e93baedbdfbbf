"""Measure a trained system on other data sets: `python stages/evaluate_on.py phase2 rstpreid`."""

import argparse

from ubg.runtime.cli import run_script
from ubg.runtime.passed_over import pass_over
from ubg.systems import system_named, system_names


def main(system: str, datasets: list[str]) -> None:
    """Write `metrics/others/<system>_<dataset>.json` for each data set."""
    from ubg.params import load_params

    params = load_params()
    if (lack := system_named(system).lacks(params)) is not None:
        for dataset in datasets:
            pass_over(f"evaluate_{system}_on@{dataset}", lack)
        return

    from ubg.evaluation.others import evaluate_on

    evaluate_on(system, datasets, params)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description="Rank the test images of other data sets for their test captions, and measure."
    )
    parser.add_argument("system", choices=system_names())
    parser.add_argument("dataset", nargs="+", help="prepared before by stages/prepare_other.py")
    chosen = parser.parse_args()
    run_script(lambda: main(chosen.system, chosen.dataset))
