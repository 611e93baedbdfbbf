"""Time and memory of the second score at full size: sums of looked-up numbers, no matrix product.

    python benchmarks/code_scores.py            # 6,156 captions, 3,074 images, 192 places
    python benchmarks/code_scores.py --codes 32

What a model takes to make its evidence is left out: the evidence is drawn once and given again.
"""

import argparse
import resource
import sys
import time

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ubg.retrieval.code_score import MAX_EVIDENCE, score_captions

CAPTIONS, IMAGES, PLACES, BATCH_SIZE = 6156, 3074, 192, 64
MIB = 2**20


class DrawnScore:
    """Gives the same numbers for every batch of captions."""

    length = PLACES

    def __init__(self, codes: int) -> None:
        self.codes = codes
        captions = min(BATCH_SIZE, max(1, MAX_EVIDENCE // (PLACES * codes)))
        self.evidence_BLV = torch.randn(captions, PLACES, codes)

    def image_codes(self, images_BHWC: NDArray[np.uint8]) -> NDArray[np.int32]:
        raise AssertionError("the codes are drawn")

    def caption_evidence(self, text: dict[str, Tensor]) -> Tensor:
        return self.evidence_BLV[: len(text["rows"])]


class DrawnCaptions:
    """As `TokenisedCaptions`, without tokens."""

    def __init__(self, count: int) -> None:
        self.lengths = np.random.default_rng(0).integers(5, 60, count)

    def __len__(self) -> int:
        return len(self.lengths)

    def batch(self, rows: NDArray[np.int64]) -> dict[str, Tensor]:
        return {"rows": torch.from_numpy(rows)}


def measure(codes: int) -> None:
    score = DrawnScore(codes)
    codes_IL = np.random.default_rng(1).integers(0, codes, (IMAGES, PLACES)).astype(np.int32)
    score_captions(score, DrawnCaptions(3), codes_IL, BATCH_SIZE, "cpu")
    before, start = peak_bytes(), time.perf_counter()
    added_TI = score_captions(score, DrawnCaptions(CAPTIONS), codes_IL, BATCH_SIZE, "cpu")
    duration = time.perf_counter() - start
    print(
        f"{CAPTIONS:,} captions x {IMAGES:,} images x {PLACES} places of {codes:,} codes: "
        f"{duration:.1f} s, {(peak_bytes() - before) / MIB:.0f} MiB of extra memory, of which "
        f"{added_TI.nbytes / MIB:.0f} MiB are the scores, beside batches of "
        f"{score.evidence_BLV.nbytes / MIB:.0f} MiB; the images as a one-hot matrix would be "
        f"{4 * IMAGES * PLACES * codes / 2**30:.1f} GiB"
    )


def peak_bytes() -> int:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--codes", type=int, default=16_384)
    measure(parser.parse_args().codes)
