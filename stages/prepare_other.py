"""Prepare a data set that is only tested on: `python stages/prepare_other.py rstpreid`."""

import argparse

from ubg.runtime.cli import run_script


def main(name: str) -> None:
    """Write `data/others/<name>`."""
    from ubg.params import load_other

    params = load_other(name)

    from ubg.dataset_report.prepare_other import prepare_other

    prepare_other(params)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description="Read the annotations of another data set and pack its test images, into "
        "data/others/<dataset>."
    )
    parser.add_argument("dataset", help="a preset of configs/datasets")
    chosen = parser.parse_args()
    run_script(lambda: main(chosen.dataset))
