"""Draw a data set: `python stages/make_synthpedes.py synthpedes` writes `data/raw/synthpedes`."""

import argparse

from ubg.runtime.cli import run_script


def main(name: str) -> None:
    """Read how much to draw, draw it on every CPU this process may use."""
    from ubg.params import load_synthpedes

    params = load_synthpedes(name)

    from ubg.runtime.cpus import usable_cpus
    from ubg.synthpedes.generate import generate

    generate(params, f"data/raw/{name}", processes=usable_cpus())


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description="Draw pedestrians, their captions and a contact sheet, into data/raw/<dataset>."
    )
    parser.add_argument("dataset", help="a preset of configs/datasets")
    chosen = parser.parse_args()
    run_script(lambda: main(chosen.dataset))
