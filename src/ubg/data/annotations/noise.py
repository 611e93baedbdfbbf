"""Noisy correspondence: training captions assigned to images that they do not describe.

A share of the captions is permuted, as in the literature on noisy correspondence (Huang et al.,
NeurIPS 2021). Unlike there, no permuted caption stays with its own identity, so that the actual
noise rate equals the one that was set. Validation and test stay clean.
"""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ubg.data.annotations.shuffle import Shuffler

if TYPE_CHECKING:
    import pandas as pd

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
    training = np.flatnonzero((table["split"] == "train").to_numpy())
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

    noisy = table.copy()
    for name in TEXTS:
        if name in table:
            noisy[name] = table[name].to_numpy()[source]
    noisy["caption_of"] = table["caption_id"].to_numpy()[source]
    return noisy


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
