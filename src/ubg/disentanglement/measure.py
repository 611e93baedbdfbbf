"""What can be read off the embeddings of one model, and found by them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from ubg.disentanglement.attributes import BODY, CLOTHING, GROUPS
from ubg.disentanglement.cka import Alignment, alignment
from ubg.disentanglement.crossings import Crossing, cross
from ubg.disentanglement.embed import Embeddings
from ubg.disentanglement.people import People, one_hot
from ubg.disentanglement.probes import PROBES, Judged, Labelled, judge
from ubg.retrieval.bootstrap import FEWEST_CLUSTERS
from ubg.runtime.progress import progress_bar

CROSSINGS = ("person", "outfit")  # what a match has in common with the query
ALIGNED = ("identity", "clothing")  # the branches that should have nothing in common

Probed = dict[str, dict[str, Judged]]  # by probe and attribute
Crossed = dict[str, Crossing]  # by what is sought


@dataclass(frozen=True)
class Measured:
    """A model on the test images.

    Attributes:
        probed: by embedding; attributes that too few show are missing.
        crossed: by embedding; empty where nobody has two outfits and no two have the same.
        alignment: of the two branches, None where a model has one or there are too few identities.
    """

    probed: dict[str, Probed]
    crossed: dict[str, Crossed]
    alignment: Alignment | None

    def of_group(self, embedding: str, probe: str, group: str) -> list[Judged]:
        """One for each attribute of a group that was probed."""
        probed = self.probed[embedding][probe]
        return [probed[name] for name in GROUPS[group] if name in probed]


def measure(name: str, val: Embeddings, test: Embeddings, people: Mapping[str, People]) -> Measured:
    """Probe the embeddings, cross persons and outfits by them, and align the branches.

    Args:
        name: of the model, in the progress bar.
        val: the embeddings of the images `people["val"]`, which probes are fitted on.
        test: those of `people["test"]`, on which all is measured.
        people: by split.
    """
    steps = len(test) * len(PROBES) * len((*BODY, *CLOTHING))
    with progress_bar(f"{name}: probes", total=steps, unit="probe") as bar:
        probed = {
            embedding: _probe(val[embedding], test[embedding], people, bar) for embedding in test
        }
    crossed = {
        embedding: _cross(feature_ND, people["test"]) for embedding, feature_ND in test.items()
    }
    return Measured(probed, crossed, _align(test, people["test"]))


def measure_attributes(name: str, people: Mapping[str, People]) -> Measured:
    """Probe an ideal model, the branches of which are told the attributes themselves.

    What is read of the other group off them is there because the data set has it, such as the sex
    in a dress: no model can hide that without losing what it should keep.
    """
    val, test = (
        {
            "identity": one_hot(BODY, people[split], people["val"]),
            "clothing": one_hot(CLOTHING, people[split], people["val"]),
        }
        for split in ("val", "test")
    )
    measured = measure(name, val, test, people)
    # Persons of equal attributes are at one point, where retrieval would tell of their order alone.
    return Measured(measured.probed, {embedding: {} for embedding in test}, None)


def _probe(
    val_ND: NDArray[np.float64],
    test_ND: NDArray[np.float64],
    people: Mapping[str, People],
    bar: "tqdm[Any]",
) -> Probed:
    probed: Probed = {}
    val, test = people["val"], people["test"]
    for probe in PROBES:
        probed[probe] = {}
        for attribute in (*BODY, *CLOTHING):
            judged = judge(
                probe,
                Labelled(val_ND, val.shown[attribute], val.persons),
                Labelled(test_ND, test.shown[attribute], test.persons),
            )
            if judged is not None:
                probed[probe][attribute] = judged
            bar.update()
    return probed


def _cross(feature_ND: NDArray[np.float64], people: People) -> Crossed:
    sought = dict(zip(CROSSINGS, (people.persons, people.outfits), strict=True))
    found = {name: cross(feature_ND, sought_N, people.pids) for name, sought_N in sought.items()}
    return {name: crossing for name, crossing in found.items() if crossing is not None}


def _align(test: Embeddings, people: People) -> Alignment | None:
    """By identities, the mean of their images: which outfits a person has is drawn by chance."""
    pids = np.unique(people.pids)
    if not set(ALIGNED) <= test.keys() or len(pids) < FEWEST_CLUSTERS:
        return None
    x_ND, y_NE = (
        np.stack([test[name][people.pids == pid].mean(axis=0) for pid in pids]) for name in ALIGNED
    )
    return alignment(x_ND, y_NE)
