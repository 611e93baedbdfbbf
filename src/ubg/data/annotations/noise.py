"""Noisy correspondence: training captions assigned to images that they do not describe.

A share of the captions is permuted, as in the literature on noisy correspondence (Huang et al.,
NeurIPS 2021). Unlike there, no permuted caption stays with its own identity, so that the actual
noise rate equals the one that was set. Published permutations are taken as they are. Validation and
test stay clean.
"""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ubg.data.annotations.shuffle import Shuffler
from ubg.runtime.opening import read_array

if TYPE_CHECKING:
    import pandas as pd

LEFT_IN_PLACE = 10  # captions: a shuffle leaves one where it was, on average
TEXTS = ("caption", "identity_caption", "clothing_caption")


def exchange_captions(table: "pd.DataFrame", rate: float, seed: int) -> "pd.DataFrame":
    """A copy of the table in which `rate` of the training captions are at another identity.

    All texts of a row move together. The result depends on the table, `rate` and `seed` alone.

    Args:
        table: as `read_annotations` returns it.
        rate: share of the training captions, above 0.
        seed: of the draw.

    Returns:
        The table with one more column, `caption_of`: the `caption_id` whose text the row holds now,
        its own where nothing was exchanged.

    Raises:
        ValueError: too few captions are chosen to be exchanged, or one identity has more than half
            of them.
    """
    training = _training_rows(table)
    count = round(rate * len(training))
    if count < 2:
        raise ValueError(
            f"noise.rate: {rate} of {len(training):,} training captions is {count}, too few to "
            "exchange; raise it, or give 0"
        )
    shuffler = Shuffler(seed)
    chosen = np.sort(training[shuffler.order(len(training))[:count]])
    pids = table["pid"].to_numpy()[chosen]
    source = np.arange(len(table))
    source[chosen] = chosen[_derangement(pids, rate, shuffler)]
    return _with_texts_of(table, source)


def exchange_by_index(table: "pd.DataFrame", path: Path, rate: float) -> "pd.DataFrame":
    """A copy of the table in which the training captions are permuted as a published file has it.

    Captions are counted over the training split in the order of the annotations, those of an image
    one after the other, as IRRA's code and its descendants do. A published permutation may leave a
    caption with another image of its own identity.

    Args:
        table: as `read_annotations` returns it.
        path: an array saved by NumPy, [N]; caption i becomes a copy of caption `index[i]`.
        rate: the share of captions that it moves.

    Returns:
        As `exchange_captions`.

    Raises:
        ValueError: the file cannot be read, is no permutation of the N training captions, or moves
            another share.
    """
    training = _training_rows(table)
    index = _read_permutation(path, len(training))
    count = len(index)
    moved = int((index != np.arange(count)).sum())
    if abs(moved - rate * count) > max(LEFT_IN_PLACE, count / 100):
        raise ValueError(
            f"noise.rate: {rate:g} where {path} moves {moved:,} of {count:,} training captions; "
            f"set noise.rate to {moved / count:.2g}"
        )
    source = np.arange(len(table))
    source[training] = training[index]
    return _with_texts_of(table, source)


def _training_rows(table: "pd.DataFrame") -> NDArray[np.int64]:
    return np.flatnonzero((table["split"] == "train").to_numpy())


def _with_texts_of(table: "pd.DataFrame", source: NDArray[np.int64]) -> "pd.DataFrame":
    """Each row with the texts of the row `source`, [rows], and `caption_of`."""
    noisy = table.copy()
    for name in TEXTS:
        if name in table:
            noisy[name] = table[name].to_numpy()[source]
    noisy["caption_of"] = table["caption_id"].to_numpy()[source]
    return noisy


def _read_permutation(path: Path, count: int) -> NDArray[np.int64]:
    advice = "take the file that was made from these annotations, and keep their order"
    try:
        index = read_array(path)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error).removeprefix(f"{path}: ")
        raise ValueError(
            f"noise.index: {path}: cannot be read: {reason}; put the file there"
        ) from None
    if index.ndim != 1 or index.dtype.kind not in "iu":
        raise ValueError(f"noise.index: {path}: is no list of whole numbers; {advice}")
    if len(index) != count:
        raise ValueError(
            f"noise.index: {path}: has {len(index):,} numbers where there are {count:,} training "
            f"captions; {advice}, with carve_val: null if it covers the whole training split"
        )
    if not np.array_equal(np.sort(index), np.arange(count)):
        raise ValueError(
            f"noise.index: {path}: does not name each of the {count:,} training captions once, "
            f"from 0; {advice}"
        )
    return np.array(index, np.int64)


def _derangement(pids: NDArray[np.int64], rate: float, shuffler: Shuffler) -> NDArray[np.int64]:
    """Which caption's text each of N captions gets, [N]: a permutation, never within a pid."""
    largest = np.unique(pids, return_counts=True)[1].max()
    if 2 * largest > len(pids):
        raise ValueError(
            f"noise.rate: {rate} chooses {len(pids):,} training captions, {largest:,} of them of "
            "one identity, so that not every one can go to another; change rate or seed"
        )
    source = shuffler.order(len(pids))
    for place in np.flatnonzero(pids[source] == pids):
        pid = pids[place]
        if pids[source[place]] != pid:
            continue  # mended by the exchange of an earlier one
        # At most N - 1 captions are ruled out, as no pid has more than half of them.
        partner = shuffler.choose(np.flatnonzero((pids != pid) & (pids[source] != pid)))
        source[place], source[partner] = source[partner], source[place]
    return source
