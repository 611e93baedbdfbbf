"""How high the best score is when the person is not there: what makes a score mean something.

Each sentence of a validation split is searched among the images of that split without those of its
own person. The share of these best scores that is as high as a given score says how usual that
score is without the person. The best of many images is higher than the best of a few: in a gallery
of many more images than the split has, the true share is higher.
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ubg.runtime.files import write_json
from ubg.runtime.opening import Kind, read_bytes
from ubg.search.manifest import Manifest

CALIBRATION = "calibration.json"
USUAL = 0.5  # above this share, a best score is one that is usual without the person


class Calibration(BaseModel):
    """Best scores of queries whose person is not there, ascending.

    Attributes:
        fingerprint: of the model.
        images: of the split, on average left for a query.
        cosine: by embeddings alone.
        both: by both scores; empty where the model has one alone.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    fingerprint: str
    images: int = Field(ge=1)
    cosine: list[float] = Field(min_length=1)
    both: list[float]

    def share(self, score: float, both_scores: bool) -> float:
        """Share of the queries with a best score as high."""
        best = self.both if both_scores else self.cosine
        return 1 - float(np.searchsorted(best, score, "left")) / len(best)


def open_set_best(
    scores_QG: NDArray[np.floating], query_pids: NDArray[np.int64], gallery_pids: NDArray[np.int64]
) -> NDArray[np.float64]:
    """The best score of each query over the images of other persons, ascending, [Q].

    Queries that describe everybody in the gallery are left out.
    """
    others_QG = query_pids[:, None] != gallery_pids[None, :]
    best_Q = np.where(others_QG, scores_QG, -np.inf).max(axis=1)
    return np.sort(best_Q[best_Q > -np.inf]).astype(np.float64)


def write_calibration(gallery: Path, calibration: Calibration) -> None:
    """Keep it with the gallery."""
    write_json(gallery / CALIBRATION, calibration.model_dump())


def read_calibration(gallery: Path, manifest: Manifest, both_scores: bool) -> Calibration | None:
    """The calibration of a gallery for its model; None where there is none.

    Raises:
        ValueError: the file is damaged.
    """
    path = gallery / CALIBRATION
    try:
        calibration = Calibration.model_validate_json(read_bytes(path, Kind.TABLE))
    except FileNotFoundError:
        return None
    except (OSError, ValidationError) as error:
        raise ValueError(
            f"{path}: cannot be read ({' '.join(str(error).split())[:120]}); remove it, or make it "
            "anew with `ubg calibrate`"
        ) from None
    if calibration.fingerprint != manifest.fingerprint or (both_scores and not calibration.both):
        return None
    return calibration
