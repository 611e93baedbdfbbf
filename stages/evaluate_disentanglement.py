"""What image embeddings hold of persons and outfits: `... evaluate_disentanglement.py irra`.

The first system is compared with all others. By hand, `--beside` adds trained models from other
folders, such as the first system trained without one of its losses, and `--name` says what the
outputs are called.
"""

import argparse
from pathlib import Path

from ubg.runtime.cli import run_script
from ubg.runtime.passed_over import pass_over
from ubg.systems import system_names

NAME = "disentanglement"


def main(arguments: argparse.Namespace) -> None:
    """Write `metrics/<name>.json` and `plots/<name>`."""
    from ubg.disentanglement.evaluate import evaluate_disentanglement, lack_of_attributes
    from ubg.params import load_params

    params = load_params()
    if (lack := lack_of_attributes(params)) is not None:
        pass_over("evaluate_disentanglement", lack)
        return
    evaluate_disentanglement(arguments.system, arguments.beside, arguments.name, params)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description="Probes and crossings: what image embeddings hold of persons and outfits."
    )
    parser.add_argument("system", nargs="+", choices=system_names())
    parser.add_argument(
        "--beside", nargs="+", type=Path, default=[], help="folders of other trained models"
    )
    parser.add_argument("--name", default=NAME, help="of the outputs; default: %(default)s")
    chosen = parser.parse_args()
    run_script(lambda: main(chosen))
