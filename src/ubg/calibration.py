"""How high the best score is when the person is not there: what makes a score mean something.

Each caption of a validation split is searched among the images of that split without those of its
own person, as in open-set identification. The share of these best scores that is as high as a given
score says how usual that score is without the person. The best of many images is higher than the
best of a few: in a gallery of many more images than the split has, the true share is higher.
"""

from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, ValidationError, field_validator

from ubg.model_fingerprint import codes_fingerprint, model_fingerprint
from ubg.runtime.files import beside, write_json
from ubg.runtime.opening import Kind, read_bytes

if TYPE_CHECKING:
    from ubg.retrieval.encode import Features, Split

BLOCK_PAIRS = 8_000_000  # that are scored at once


class Calibration(BaseModel):
    """Best scores of captions whose person is not there, ascending.

    Attributes:
        fingerprint: of the model.
        codes: fingerprint of its second score; None where the model has one score alone.
        images: of the split, on average left for a caption.
        cosine: by embeddings alone; empty where the split has one person alone.
        both: by both scores; empty where the model has one alone too.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    fingerprint: str
    codes: str | None = None  # older files do not say
    images: int = Field(ge=0)
    cosine: list[FiniteFloat]
    both: list[FiniteFloat]

    @field_validator("cosine", "both")
    @classmethod
    def _ascends(cls, best: list[float]) -> list[float]:
        if any(later < earlier for earlier, later in pairwise(best)):
            raise ValueError("the scores must ascend")
        return best

    def best(self, both_scores: bool) -> list[float]:
        """The best scores, by both scores or by embeddings alone."""
        return self.both if both_scores else self.cosine

    def share(self, score: float, both_scores: bool) -> float:
        """Share of the captions with a best score as high."""
        best = self.best(both_scores)
        return 1 - float(np.searchsorted(best, score, "left")) / len(best)


def calibrate(
    split: "Split", features: "Features", added_TI: NDArray[np.float32] | None, model: Path
) -> Calibration:
    """Measure the best scores without the person on a split that was encoded.

    Args:
        split: T captions and I images.
        features: of it, by the model.
        added_TI: the second score of each caption and image; None where the model has one alone.
        model: its folder.
    """
    text_TD, image_ID = features.text_QD.numpy(), features.image_GD.numpy()
    sides = text_TD, image_ID, split.text_pids, split.image_pids
    own = Counter(split.image_pids.tolist())
    others_T = [len(image_ID) - own[pid] for pid in split.text_pids.tolist()]
    return Calibration(
        fingerprint=model_fingerprint(model),
        codes=None if added_TI is None else codes_fingerprint(model),
        images=round(float(np.mean(others_T))),
        cosine=open_set_best(*sides).tolist(),
        both=[] if added_TI is None else open_set_best(*sides, added_TI).tolist(),
    )


def open_set_best(
    text_TD: NDArray[np.float32],
    image_ID: NDArray[np.float32],
    text_pids: NDArray[np.int64],
    image_pids: NDArray[np.int64],
    added_TI: NDArray[np.float32] | None = None,
) -> NDArray[np.float64]:
    """The best score of each caption over the images of other persons, ascending, [T].

    Captions of a person who is in every image are left out.

    Args:
        text_TD: unit vectors of T captions.
        image_ID: unit vectors of I images.
        text_pids: [T].
        image_pids: [I].
        added_TI: a second score, added to the cosine.
    """
    best_T = np.empty(len(text_TD))
    rows = max(1, BLOCK_PAIRS // len(image_ID))
    for start in range(0, len(text_TD), rows):
        block = slice(start, start + rows)
        scores_BI = text_TD[block] @ image_ID.T
        if added_TI is not None:
            scores_BI += added_TI[block]
        scores_BI[text_pids[block, None] == image_pids] = -np.inf
        best_T[block] = scores_BI.max(axis=1)
    return np.sort(best_T[best_T > -np.inf])


def calibration_of(model: Path) -> Path:
    """Where evaluation keeps the calibration of the model in a folder: beside that folder."""
    return beside(model, "_calibration.json")


def write_calibration(path: Path, calibration: Calibration) -> None:
    """Write it whole or not at all."""
    write_json(path, calibration.model_dump())


def read_calibration(path: Path) -> Calibration | None:
    """The calibration in a file; None where there is none.

    Raises:
        ValueError: the file is damaged.
    """
    try:
        return Calibration.model_validate_json(read_bytes(path, Kind.TABLE))
    except FileNotFoundError:
        return None
    except (OSError, ValidationError) as error:
        raise ValueError(
            f"{path}: cannot be read ({' '.join(str(error).split())[:120]}); remove it, or make it "
            "anew: of a gallery with `ubg calibrate`, of a model with `dvc repro`"
        ) from None
