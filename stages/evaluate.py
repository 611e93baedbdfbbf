"""Measure one trained system: `python stages/evaluate.py phase2`."""

from ubg.runtime.cli import run_system_stage
from ubg.systems import system_names


def main(system: str) -> None:
    """Write `metrics/<system>.json` and `plots/<system>/evaluation`."""
    from ubg.params import load_params

    params = load_params()

    from ubg.evaluation.evaluate import evaluate_system

    evaluate_system(system, params)


if __name__ == "__main__":
    run_system_stage(
        "Rank the test images for each test caption, and measure.", main, system_names()
    )
