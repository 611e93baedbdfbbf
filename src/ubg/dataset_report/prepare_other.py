"""Data sets that are not trained on: prepared to be tested on."""

from ubg.data.images.pack import pack_images
from ubg.data.prepared import OTHERS, load_prepared
from ubg.dataset_report.prepare import prepare
from ubg.params import Params


def prepare_other(params: Params) -> None:
    """Write the table, its report and the packed test images to `data/others/<dataset>`.

    The annotations are checked whole; of the images only those of the test split are needed.

    Args:
        params: with the other data set in use, see `load_other`.

    Raises:
        ValueError: as `prepare` and `pack_images`; a test split must be there, and no other.
    """
    folder = OTHERS / params.dataset
    prepare(params, folder / "prepared", splits=("test",))
    table = load_prepared(folder / "prepared")
    test = table[table["split"] == "test"]
    pack_images(test, params.raw_root / "imgs", params.preset.image, folder / "images")
