"""List and pack the images that are not RGB, and the queries that are made of them."""

from ubg.runtime.cli import run_stage
from ubg.runtime.passed_over import pass_over


def main() -> None:
    """Write `data/modalities`."""
    from ubg.data.modalities.modalities import MODALITIES, lack_of_modalities
    from ubg.data.modalities.prepare import prepare_modalities
    from ubg.data.prepared import PREPARED, load_prepared
    from ubg.params import load_params

    params = load_params()
    if (lack := lack_of_modalities(params)) is not None:
        pass_over("prepare_modalities", lack)
        return
    prepare_modalities(params, load_prepared(PREPARED), MODALITIES)


if __name__ == "__main__":
    run_stage(
        "Pack infrared images, colour pencil drawings and sketches into data/modalities.", main
    )
