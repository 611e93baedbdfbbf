"""Calibrating a gallery by the validation split of a prepared data set: `ubg calibrate`."""

from pathlib import Path

import numpy as np

from ubg.data.images.image_pack import ImagePack
from ubg.data.prepared import load_prepared
from ubg.retrieval.code_score import code_scores
from ubg.retrieval.encode import encode_split, make_split
from ubg.search.calibration import Calibration, open_set_best, write_calibration
from ubg.search.database import writing
from ubg.search.manifest import read_manifest
from ubg.systems.contract import Trained

BATCH_SIZE = 64


def calibrate(gallery: Path, model: Path | None, data: Path) -> Calibration:
    """Measure the best scores without the person, and keep them with the gallery.

    Args:
        gallery: says which model, and whether by both scores too.
        model: where that is now; None for where it was.
        data: folder with `prepared` and `images`, as the pipeline makes them.

    Raises:
        ValueError: a folder is missing, or the model is another one.
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
    cosine_QG = features.text_QD.numpy() @ features.image_GD.numpy().T
    pids = split.text_pids, split.image_pids
    both: list[float] = []
    if manifest.codes is not None:
        score = load_code_score(trained, folder)
        both = open_set_best(
            cosine_QG + code_scores(score, split, pack, BATCH_SIZE), *pids
        ).tolist()
    same_QG = split.text_pids[:, None] == split.image_pids[None, :]
    calibration = Calibration(
        fingerprint=manifest.fingerprint,
        images=max(1, round(float(np.mean((~same_QG).sum(axis=1))))),
        cosine=open_set_best(cosine_QG, *pids).tolist(),
        both=both,
    )
    write_calibration(gallery, calibration)
    with writing(gallery):
        pass  # readers that are open see that there is something new
    return calibration
