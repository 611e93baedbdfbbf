"""Measure one trained system: `python stages/evaluate.py phase2`.

With other data sets, `python stages/evaluate.py phase2 rstpreid icfg_pedes`, on theirs alone.
"""

import argparse

from ubg.cli import exit_cleanly
from ubg.systems import SYSTEMS


def main(system: str, others: list[str]) -> None:
    """Write `metrics/<system>.json` and `plots/<system>/evaluation`, or `metrics/others`."""
    from ubg.params import load_params

    params = load_params()

    if others:
        from ubg.report.others import evaluate_on

        evaluate_on(system, others, params)
    else:
        from ubg.report.evaluation import evaluate_system

        evaluate_system(system, params)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description="Rank the test images for each test caption, and measure."
    )
    parser.add_argument("system", choices=SYSTEMS)
    parser.add_argument(
        "dataset", nargs="*", help="others, prepared before; default: the one of the params"
    )
    chosen = parser.parse_args()
    exit_cleanly(lambda: main(chosen.system, chosen.dataset))
