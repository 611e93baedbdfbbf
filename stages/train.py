"""Train one system: `python stages/train.py phase2`.

Trains in `launcher.processes` processes, or in those that `accelerate launch` has started.
"""

from ubg.runtime.cli import run_system_stage
from ubg.runtime.launch import is_launched, one_of_several, run_in_processes
from ubg.runtime.passed_over import pass_over
from ubg.systems import system_named, system_names


def main(name: str) -> None:
    """Read the params, train, write `models/<system>` and `plots/<system>/training`."""
    from ubg.params import load_params

    params = load_params()  # before the slow imports: a wrong value shows at once
    system = system_named(name)
    if (lack := system.lacks(params)) is not None:
        pass_over(f"train_{name}", lack)
        return

    if params.launcher.processes > 1 and not is_launched():
        run_in_processes(params.launcher.processes)
        return

    from ubg.training.run import train_system

    with one_of_several():
        train_system(name, system, params)


if __name__ == "__main__":
    run_system_stage("Train one system on the prepared data.", main, system_names())
