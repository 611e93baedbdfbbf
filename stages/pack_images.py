"""Decode and resize every image once."""

from ubg.cli import run_stage


def main() -> None:
    """Write `data/images`."""
    from pathlib import Path

    from ubg.data.pack import pack_images
    from ubg.data.prepare import load_prepared
    from ubg.params import load_params

    params = load_params()
    pack_images(
        load_prepared("data/prepared"),
        params.raw_root / params.data.images,
        params.model.image,
        Path("data/images"),
    )


if __name__ == "__main__":
    run_stage("Decode and resize every image once, into data/images.", main)
