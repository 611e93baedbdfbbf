"""Decode and resize every image once."""

from ubg.cli import run_stage


def main() -> None:
    """Write `data/images` and `plots/images`."""
    from pathlib import Path

    from ubg.data.pack import pack_images
    from ubg.data.prepare import load_prepared
    from ubg.params import load_params
    from ubg.report.images import write_image_report
    from ubg.report.style import dataset_label

    params = load_params()
    table = load_prepared("data/prepared")
    images, size = params.raw_root / "imgs", params.model.image
    pack_images(table, images, size, Path("data/images"))
    label = dataset_label(params.data.title, params.data.synthetic)
    write_image_report(table, images, size, label, Path("plots/images"))


if __name__ == "__main__":
    run_stage("Decode and resize every image once, into data/images; plots/images has sizes.", main)
