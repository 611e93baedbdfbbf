"""What training will need: `python stages/plan.py phase4`, or no name for all systems.

Not a stage of the pipeline: it needs no data and no pretrained weights, and writes nothing.
"""

import argparse

from ubg.comparison.ladder import in_order
from ubg.runtime.cli import run_script
from ubg.systems import system_names


def main(systems: list[str], samples: int | None) -> None:
    """Count, measure a few steps, print the table."""
    from ubg.params import load_params

    params = load_params()  # before the slow imports: a wrong value shows at once

    import torch
    from tqdm import tqdm

    from ubg.plan.plan import plan_system
    from ubg.plan.table import plan_lines

    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    with tqdm(systems, desc="measuring", unit="system", leave=False) as bar:
        plans = [plan_system(name, params, device, samples) for name in bar]
    print("\n".join(plan_lines(plans, params, device)))


def known_system(name: str) -> str:
    """Check a system's name; with argparse's `choices`, Python 3.11 would refuse an empty list."""
    if name not in system_names():
        known = ", ".join(system_names())
        raise argparse.ArgumentTypeError(f"{name!r} is unknown; choose from {known}")
    return name


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description="Parameters, tokens, FLOPs, memory and time of training, before it is run."
    )
    parser.add_argument(
        "system", nargs="*", type=known_system, help="default: all, as the ladder has them"
    )
    parser.add_argument(
        "--samples", type=int, help="to measure with; default: the batch on a GPU, 4 on CPU"
    )
    chosen = parser.parse_args()
    run_script(lambda: main(chosen.system or in_order(system_names()), chosen.samples))
