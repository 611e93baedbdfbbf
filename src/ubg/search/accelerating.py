"""Engines beside a gallery: made of its rows, brought up to date, put into a searcher."""

import hashlib

import numpy as np

from ubg.search.engines.contract import Index
from ubg.search.engines.faiss_ivf import FaissIndex
from ubg.search.engines.milvus import MilvusIndex
from ubg.search.gallery import Gallery


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
    index, snapshot = open_server(gallery, server), gallery.snapshot
    index.remove(snapshot.ids_N[~snapshot.alive_N])
    new_N = snapshot.alive_N & (snapshot.ids_N > index.newest())
    index.add(snapshot.ids_N[new_N], snapshot.vectors_ND[new_N].astype(np.float32))
    return index


def open_file(gallery: Gallery) -> Index:
    """What `build_file` made.

    Raises:
        ValueError: there is none, or it is damaged.
    """
    return FaissIndex.open(gallery.path, gallery.snapshot.generation)


def open_server(gallery: Gallery, server: str) -> MilvusIndex:
    """The collection of a gallery; rows that were written anew are another one's."""
    own = f"{gallery.path.resolve()} {gallery.manifest.fingerprint} {gallery.snapshot.generation}"
    name = f"ubg_{hashlib.sha256(own.encode()).hexdigest()[:24]}"
    return MilvusIndex(server, name, gallery.manifest.dimension)
