"""Calibrating a gallery by the validation split of a prepared data set: `ubg calibrate`."""

from pathlib import Path

from ubg.calibration import Calibration, calibrate, write_calibration
from ubg.data.images.image_pack import ImagePack
from ubg.data.prepared import load_prepared
from ubg.retrieval.code_score import code_scores
from ubg.retrieval.encode import encode_split, make_split
from ubg.search.calibration import CALIBRATION
from ubg.search.database import writing
from ubg.search.manifest import read_manifest
from ubg.systems.contract import Trained

BATCH_SIZE = 64


def calibrate_gallery(gallery: Path, model: Path | None, data: Path) -> Calibration:
    """Measure the best scores without the person, and keep them with the gallery.

    Args:
        gallery: says which model, and whether by both scores too.
        model: where that is now; None for where it was.
        data: folder with `prepared` and `images`, as the pipeline makes them.

    Raises:
        ValueError: a folder is missing, the model is another one, or the split has one person.
    """
    from ubg.trained import load_code_score, load_trained

    manifest = read_manifest(gallery)
    folder = model or Path(manifest.model)
    manifest.require(folder, both_scores=manifest.codes is not None)
    trained: Trained = load_trained(folder)
    pack = ImagePack(data / "images")
    table = pack.rows_present(load_prepared(data / "prepared"))
    split = make_split(
        table,
        "val",
        trained.tokenizer,
        trained.network.max_tokens,
        trained.model.caption_fields,
    )
    features = encode_split(trained.model, split, pack, BATCH_SIZE)
    added_TI = None
    if manifest.codes is not None:
        added_TI = code_scores(load_code_score(trained, folder), split, pack, BATCH_SIZE)
    calibration = calibrate(split, features, added_TI, folder)
    if not calibration.cosine:
        raise ValueError(f"{data}: its validation split has one person alone; give more data")
    write_calibration(gallery / CALIBRATION, calibration)
    with writing(gallery):
        pass  # readers that are open see that there is something new
    return calibration
