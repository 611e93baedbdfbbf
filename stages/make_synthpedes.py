"""Draw the embedded data set: `data/raw/synthpedes`."""

from ubg.runtime.cli import run_stage


def main() -> None:
    """Read how much to draw, draw it on every CPU this process may use."""
    from ubg.params import load_synthpedes

    params = load_synthpedes()

    from ubg.runtime.cpus import usable_cpus
    from ubg.synthpedes.generate import generate

    generate(params, "data/raw/synthpedes", processes=usable_cpus())


if __name__ == "__main__":
    run_stage("Draw the pedestrians, their captions and a contact sheet.", main)
