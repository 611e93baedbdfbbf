"""The prepared folder of the modalities beside RGB: tables of images and queries, and their pixels.

`images.csv` has a row per image, `queries.csv` a row per query of one part or several, and the
folder named after a modality is the image pack of it.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ubg.data.images.image_pack import ImagePack
from ubg.data.prepared import read_table
from ubg.params import Params
from ubg.runtime.files import file_fingerprint, fingerprint

if TYPE_CHECKING:
    import pandas as pd

MODALITIES = Path("data/modalities")
CHANNELS = {"nir": 1, "cp": 3, "sk": 1}  # infrared, colour pencil, sketch; as they are packed

# Of each table, and whether it is a number.
COLUMNS = {
    "images": {
        "split": False,
        "pid": True,
        "image_id": True,
        "modality": False,
        "image_path": False,
    },
    "queries": {
        "split": False,
        "kind": False,
        "pid": True,
        "caption": False,
        **dict.fromkeys(CHANNELS, True),
    },
}


@dataclass(frozen=True)
class Modalities:
    """What a data set has of persons beside RGB images and captions.

    Attributes:
        images: `split` ("train", "val", "test"); `pid`, as in the prepared table, whose persons may
            lack one modality or all; `image_id`, from 0 over all three modalities; `modality`
            ("nir", "cp", "sk"); `image_path`, relative to the folder of images.
        queries: `split` ("val", "test"); `kind`, its parts joined by "+", the leading one first, as
            ORBench names them ("TEXT", "NIR+CP"); `pid`, who is searched for; `caption`, "" where
            the kind has none; `nir`, `cp`, `sk`, an `image_id` or `NO_IMAGE`.
        packs: the pixels of each modality, of `CHANNELS` channels, found by `image_id`.
        fingerprint: changes with any row of a table and any pixel.
    """

    images: "pd.DataFrame"
    queries: "pd.DataFrame"
    packs: dict[str, ImagePack]
    fingerprint: str


def lack_of_modalities(params: Params) -> str | None:
    """That the data set in use has none, as a sentence; None where it has them."""
    if params.data.modalities is not None:
        return None
    return f"{params.data.title} has no infrared images, colour pencil drawings and sketches"


def load_modalities(folder: str | Path) -> Modalities:
    """The modalities that were prepared in `folder`.

    Raises:
        ValueError: a table or a pack is missing or damaged.
    """
    folder = Path(folder)
    remedy = "make it with `dvc repro prepare_modalities`"
    tables = {name: folder / f"{name}.csv" for name in COLUMNS}
    images, queries = (read_table(path, remedy, COLUMNS[name]) for name, path in tables.items())
    packs = {name: ImagePack(folder / name) for name in CHANNELS}
    parts = [file_fingerprint(path) for path in tables.values()]
    parts += [pack.fingerprint for pack in packs.values()]
    return Modalities(images, queries, packs, fingerprint(*parts))
