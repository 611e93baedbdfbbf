"""Decode and resize every image once."""

from ubg.runtime.cli import run_stage


def main() -> None:
    """Write `data/images` and `plots/images`."""
    from pathlib import Path

    from ubg.data.images.image_pack import IMAGES
    from ubg.data.images.pack import pack_images
    from ubg.data.prepared import PREPARED, load_prepared
    from ubg.dataset_report.image_sizes import write_image_report
    from ubg.params import load_params

    params = load_params()
    table = load_prepared(PREPARED)
    images, size = params.raw_root / "imgs", params.preset.image
    pack_images(table, images, size, IMAGES)
    label = params.data.label
    write_image_report(table, images, size, label, Path("plots/images"))


if __name__ == "__main__":
    run_stage("Decode and resize every image once, into data/images; plots/images has sizes.", main)
