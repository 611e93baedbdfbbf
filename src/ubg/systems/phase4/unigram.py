"""Models of the VQ codes that see neither caption nor image: what a decoder has to beat."""

import numpy as np
from numpy.typing import NDArray

PRIOR_STRENGTHS = (1.0, 10.0, 100.0, 1000.0)
DEFAULT_STRENGTH = 10.0


def unigram_ce(
    training_ids: NDArray[np.integer], target_ids_P: NDArray[np.integer], codes: int
) -> NDArray[np.float64]:
    """Cross-entropy of each target under the frequencies of the codes, [P], nats.

    One is added to every count, so that a code that training has not seen costs a finite price.

    Args:
        training_ids: codes of the training images, any shape.
        target_ids_P: codes to predict.
        codes: V, size of the codebook.
    """
    return -_log_unigram(training_ids, codes)[target_ids_P]


def position_unigram_ce(
    training_ids_NL: NDArray[np.integer],
    target_ids_P: NDArray[np.integer],
    position_P: NDArray[np.integer],
    codes: int,
) -> NDArray[np.float64]:
    """Cross-entropy of each target under the frequencies of the codes at its position, [P], nats.

    The frequencies at a position are shrunk towards those of all positions, with the one of
    `PRIOR_STRENGTHS` that suits the targets best, which makes the baseline as strong as possible.

    Args:
        training_ids_NL: codes of N training images at L positions.
        target_ids_P: codes to predict.
        position_P: where each of them is, 0 to L - 1.
        codes: V, size of the codebook.
    """
    candidates = [
        -log_frequencies(training_ids_NL, codes, strength)[position_P, target_ids_P]
        for strength in PRIOR_STRENGTHS
    ]
    return min(candidates, key=lambda ce_P: float(ce_P.mean()))


def log_frequencies(
    ids_NL: NDArray[np.integer], codes: int, strength: float = DEFAULT_STRENGTH
) -> NDArray[np.float64]:
    """Logarithm of how frequent each code is at each place, [L, V].

    Args:
        ids_NL: codes of N images at L places.
        codes: V, size of the codebook.
        strength: so many images' worth of the frequencies of all places are added to each.
    """
    images, length = ids_NL.shape
    flat = np.arange(length) * codes + ids_NL
    count_LV = np.bincount(flat.ravel(), minlength=length * codes).reshape(length, codes)
    prior_V = np.exp(_log_unigram(ids_NL, codes))
    return np.log((count_LV + strength * prior_V) / (images + strength))


def _log_unigram(ids: NDArray[np.integer], codes: int) -> NDArray[np.float64]:
    count_V = np.bincount(ids.ravel(), minlength=codes) + 1.0
    return np.log(count_V / count_V.sum())
