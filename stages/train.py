"""Train one system: `python stages/train.py phase2`."""

from ubg.cli import run_system_stage
from ubg.systems import SYSTEMS


def main(system: str) -> None:
    """Read the params, train, write `models/<system>` and `plots/<system>/training`."""
    from ubg.params import load_params

    params = load_params()  # before the slow imports: a wrong value shows at once

    from ubg.training.run import train_system

    train_system(system, params)


if __name__ == "__main__":
    run_system_stage("Train one system on the prepared data.", main, SYSTEMS)
