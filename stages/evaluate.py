"""Measure one trained system: `python stages/evaluate.py phase2`."""

from ubg.runtime.cli import run_system_stage
from ubg.runtime.passed_over import pass_over
from ubg.systems import system_named, system_names


def main(system: str) -> None:
    """Write `metrics/<system>.json`, `plots/<system>/evaluation` and the model's calibration."""
    from ubg.params import load_params

    params = load_params()
    if (lack := system_named(system).lacks(params)) is not None:
        pass_over(f"evaluate_{system}", lack)
        return

    from ubg.evaluation.evaluate import evaluate_system

    evaluate_system(system, params)


if __name__ == "__main__":
    run_system_stage(
        "Rank the test images for each test caption, and measure.", main, system_names()
    )
