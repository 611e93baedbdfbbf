"""Engines beside a gallery: made of its rows, brought up to date, put into a searcher."""

import re
from secrets import token_hex

import numpy as np

from ubg.runtime.files import write_json
from ubg.runtime.locks import locked
from ubg.runtime.opening import read_json
from ubg.search.engines.contract import Index
from ubg.search.engines.faiss_ivf import FaissIndex
from ubg.search.engines.milvus import MilvusIndex
from ubg.search.gallery import Gallery

COLLECTION = "collection.json"


def build_file(gallery: Gallery, recall: float) -> FaissIndex:
    """Make the file for approximate search anew.

    Raises:
        ValueError: the gallery has no images, or FAISS is not installed.
    """
    snapshot = gallery.snapshot
    if not snapshot.alive_N.any():
        raise ValueError(f"{gallery.path}: has no images; index some first")
    vectors_ND = snapshot.vectors_ND if snapshot.alive_N.all() else None
    if vectors_ND is None:
        vectors_ND = snapshot.vectors_ND[snapshot.alive_N]
    index = FaissIndex.build(snapshot.ids_N[snapshot.alive_N], vectors_ND, recall)
    index.save(gallery.path, snapshot.generation)
    return index


def bring_up_to_date(gallery: Gallery, server: str) -> MilvusIndex:
    """Send to a server what it does not have yet, and take out what is gone.

    Raises:
        ValueError: no server answers, or pymilvus is not installed.
    """
    with locked(gallery.path):
        index, snapshot = open_server(gallery, server), gallery.snapshot
        index.drop_others(_own(gallery))
        index.remove(snapshot.ids_N[~snapshot.alive_N])
        new_N = snapshot.alive_N & (snapshot.ids_N > index.newest())
        index.add(snapshot.ids_N[new_N], snapshot.vectors_ND[new_N].astype(np.float32))
        return index


def open_file(gallery: Gallery) -> Index:
    """What `build_file` made.

    Raises:
        ValueError: there is none, or it is damaged.
    """
    index = FaissIndex.open(gallery.path, gallery.snapshot.generation)
    if index.index.d != gallery.manifest.dimension:
        raise ValueError(
            f"{gallery.path}: the file for approximate search has vectors of {index.index.d} "
            f"numbers, where the gallery's have {gallery.manifest.dimension}; make it anew with "
            "`ubg accelerate`"
        )
    return index


def find_file(gallery: Gallery) -> Index | None:
    """As `open_file`; None where there is none, as after rows were written anew.

    Raises:
        ValueError: it is damaged, or FAISS is not installed.
    """
    made = (gallery.path / f"index.{gallery.snapshot.generation}.faiss").exists()
    return open_file(gallery) if made else None


def open_server(gallery: Gallery, server: str) -> MilvusIndex:
    """The collection of a gallery; rows that were written anew are another one's.

    Raises:
        ValueError: no server answers, or pymilvus is not installed.
    """
    name = f"{_own(gallery)}{gallery.snapshot.generation}"
    return MilvusIndex(server, name, gallery.manifest.dimension)


def _own(gallery: Gallery) -> str:
    """How the collections of a gallery begin: drawn once, as other machines use the server too."""
    path = gallery.path / COLLECTION
    if not path.exists():
        write_json(path, {"name": f"ubg_{token_hex(12)}_"})
    name = str(read_json(path).get("name"))
    if not re.fullmatch(r"ubg_[0-9a-f]{24}_", name):
        raise ValueError(f"{path}: is damaged; remove it, and index again")
    return name
