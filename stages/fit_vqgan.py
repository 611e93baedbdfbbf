"""Make the VQGAN whose codes are the targets of the generative task."""

from ubg.runtime.cli import run_stage


def main() -> None:
    """Write `models/vqgan`, `plots/vqgan` and `metrics/vqgan.json`."""
    from ubg.params import load_params
    from ubg.vqgan.fit.make import make_vqgan

    make_vqgan(load_params())


if __name__ == "__main__":
    run_stage(
        "Train the VQGAN on the training images, or convert the published one that params name, "
        "into models/vqgan.",
        main,
    )
