"""A second score beside the cosine: how likely a caption makes the codes of an image.

Both sides stay apart, as in a dot product: a caption has a number for each code at each place, an
image one code at each place.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from tqdm import tqdm

from ubg.data.text.captions import TokenisedCaptions
from ubg.retrieval.pairs import split as split_by_threads
from ubg.retrieval.pairs import thread_count
from ubg.runtime.cpu_products import fast_products
from ubg.runtime.progress import progress_bar

if TYPE_CHECKING:
    from ubg.data.images.image_pack import ImagePack
    from ubg.retrieval.encode import Split

BY_EMBEDDINGS, BY_BOTH = "", "_generative"  # end the names of files and metrics
MAX_EVIDENCE = 32_000_000  # numbers of a batch of captions, 128 MB


class CaptionScore(Protocol):
    """What a caption says of the code at each place of an image.

    Legend: B batch, L places, V codes or classes of codes.

    Attributes:
        codes: V.
        length: L.
    """

    codes: int
    length: int

    def caption_evidence(self, text: dict[str, Tensor]) -> Tensor:
        """What each code at each place adds to the score, float32 [B, L, V].

        It is lambda * (log p(code | caption) - log f(code)), with f the code's frequency at its
        place.

        Args:
            text: the caption fields of a batch, on the device of the model.
        """


class CodeScore(CaptionScore, Protocol):
    """A second score: what a caption says of the codes of an image."""

    def image_codes(self, images_BHWC: NDArray[np.uint8]) -> NDArray[np.int32]:
        """The codes [B, L] of images as an `ImagePack` holds them, at the size of the model."""


def code_scores(
    score: CodeScore,
    split: "Split",
    pack: "ImagePack",
    batch_size: int,
    quiet: bool = False,
    device: str | torch.device = "cpu",
) -> NDArray[np.float32]:
    """The second score of each caption and image of a split, [T, I].

    Args:
        score: of a trained model.
        split: T captions and I images.
        pack: has the images.
        batch_size: of images, and of captions where their evidence is not too large for that.
        quiet: show no progress.
        device: of the model.
    """
    total = len(split.image_ids) + len(split.captions)
    with progress_bar("second score", total=total, unit="item", disable=quiet) as bar:
        codes_IL = read_codes(score, split.image_ids, pack, batch_size, bar)
        return score_captions(score, split.captions, codes_IL, batch_size, device, bar)


def read_codes(
    score: CodeScore,
    image_ids: NDArray[np.int64],
    pack: "ImagePack",
    batch_size: int,
    bar: tqdm | None = None,
) -> NDArray[np.int32]:
    """The codes of I images of the pack, [I, L]."""
    pack_rows = pack.row_of(image_ids)
    codes_IL = np.empty((len(pack_rows), score.length), np.int32)
    for start in range(0, len(pack_rows), batch_size):
        rows = pack_rows[start : start + batch_size]
        codes_IL[start : start + batch_size] = score.image_codes(pack.read(rows))
        if bar is not None:
            bar.update(len(rows))
    return codes_IL


@torch.inference_mode()
@fast_products()
def score_captions(
    score: CaptionScore,
    captions: TokenisedCaptions,
    codes_IL: NDArray[np.int32],
    batch_size: int,
    device: str | torch.device,
    bar: tqdm | None = None,
) -> NDArray[np.float32]:
    """The second score of T captions and I images of known codes, [T, I].

    Images of the same codes get exactly the same score.
    """
    assert codes_IL.shape[1] == score.length
    codes_LI = np.ascontiguousarray(codes_IL.T)
    assert codes_LI.min() >= 0, "the compiled loop checks no bounds"
    assert codes_LI.max() < score.codes, "the compiled loop checks no bounds"
    added_TI = np.empty((len(captions), len(codes_IL)), np.float32)
    with ThreadPoolExecutor(thread_count()) as pool:
        for rows, evidence_BLV in _evidence(score, captions, batch_size, device):
            added_TI[rows] = _sum_at_codes(evidence_BLV, codes_LI, pool)
            if bar is not None:
                bar.update(len(rows))
    return added_TI


@torch.inference_mode()
@fast_products()
def score_pairs(
    score: CaptionScore,
    captions: TokenisedCaptions,
    codes_IL: NDArray[np.int32],
    pairs_P2: NDArray[np.int64],
    batch_size: int,
    device: str | torch.device,
) -> NDArray[np.float32]:
    """The second score of P pairs of a caption and an image alone, [P]; each caption is read once.

    Args:
        score: of a trained model.
        captions: T of them.
        codes_IL: codes of I images.
        pairs_P2: a row of the captions and a row of `codes_IL` for each pair.
        batch_size: of captions, at most.
        device: of the model.
    """
    caption_P, image_P = pairs_P2.T
    added_P = np.empty(len(pairs_P2), np.float32)
    by_caption = np.argsort(caption_P, kind="stable")
    first_of_T = np.searchsorted(caption_P[by_caption], np.arange(len(captions) + 1))
    place_L = np.arange(score.length)
    for rows, evidence_BLV in _evidence(score, captions, batch_size, device):
        for row, evidence_LV in zip(rows, evidence_BLV, strict=True):
            pairs = by_caption[first_of_T[row] : first_of_T[row + 1]]
            at_codes = evidence_LV[place_L, codes_IL[image_P[pairs]]]
            added_P[pairs] = at_codes.sum(axis=1, dtype=np.float64)
    return added_P


def _evidence(
    score: CaptionScore,
    captions: TokenisedCaptions,
    batch_size: int,
    device: str | torch.device,
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float32]]]:
    """Rows of captions, by length, and what they say, [B, L, V]; the batches are bounded."""
    at_once = min(batch_size, max(1, MAX_EVIDENCE // (score.length * score.codes)))
    by_length = np.argsort(captions.lengths, kind="stable")
    for start in range(0, len(by_length), at_once):
        rows = by_length[start : start + at_once]
        text = {name: ids.to(device) for name, ids in captions.batch(rows).items()}
        evidence_BLV = score.caption_evidence(text).cpu().numpy()
        assert evidence_BLV.shape == (len(rows), score.length, score.codes)
        yield rows, evidence_BLV


def _sum_at_codes(
    evidence_BLV: NDArray[np.float32], codes_LI: NDArray[np.int32], pool: ThreadPoolExecutor
) -> NDArray[np.float32]:
    """The evidence at the codes of each image, summed over the places: [B, I]."""
    from ubg.retrieval.counting import sum_at_codes

    out_BI = np.empty((len(evidence_BLV), codes_LI.shape[1]), np.float32)

    def add_up(part: slice) -> None:
        sum_at_codes(evidence_BLV[part], codes_LI, out_BI[part])

    list(pool.map(add_up, split_by_threads(len(out_BI))))
    return out_BI
