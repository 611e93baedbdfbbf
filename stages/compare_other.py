"""What systems score on another data set: `python stages/compare_other.py rstpreid phase1 phase2`.

The systems are named, so that the table holds those that the stage depends on.
"""

import argparse

from ubg.runtime.cli import run_script
from ubg.systems import system_names


def main(name: str, systems: list[str]) -> None:
    """Write the table to `plots/others/<name>`."""
    from ubg.params import load_other, load_params

    params, other = load_params(), load_other(name)

    from ubg.comparison.transfer import compare_other

    compare_other(systems, params, other)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description="Put what the systems score on their own and on another data set into a table."
    )
    parser.add_argument("dataset", help="the other data set")
    parser.add_argument("system", nargs="+", choices=system_names())
    chosen = parser.parse_args()
    run_script(lambda: main(chosen.dataset, chosen.system))
