"""Does the branch learn anything, and does it read the caption? Predictions of held-out codes."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ubg.retrieval.bootstrap import paired_bootstrap
from ubg.systems.phase4.unigram import position_unigram_ce, unigram_ce


@dataclass(frozen=True)
class Scores:
    """P predictions.

    Attributes:
        row_P: which sample.
        position_P: index in the code grid.
        target_ids_P: the true code, or its class.
        ce_P: cross-entropy, nats.
        correct_P: whether the most likely code is the true one.
    """

    row_P: NDArray[np.int64]
    position_P: NDArray[np.int64]
    target_ids_P: NDArray[np.int64]
    ce_P: NDArray[np.float64]
    correct_P: NDArray[np.bool_]


def own_captions(table: pd.DataFrame) -> NDArray[np.int64]:
    """Every sample with its own caption."""
    return np.arange(len(table))


def captions_of_others(table: pd.DataFrame) -> NDArray[np.int64]:
    """Every sample with a caption of another identity, each caption once: a fixed shuffle.

    Raises:
        ValueError: one identity has more than half of the samples.
    """
    pids = table["pid"].to_numpy()
    by_pid = np.argsort(pids, kind="stable")
    count_of_most = int(np.unique(pids, return_counts=True)[1].max(initial=0))
    if 2 * count_of_most > len(table):
        raise ValueError(
            f"captions cannot be exchanged between identities: one has {count_of_most} of "
            f"{len(table)} samples; add identities to the split"
        )
    rows = np.empty(len(table), np.int64)
    # Sorted by identity, a shift by the largest group never stays within a group.
    rows[by_pid] = np.roll(by_pid, -count_of_most)
    return rows


def curves_of_epoch(true: Scores, shuffled: Scores) -> dict[str, float]:
    """CE and accuracy, and how much CE rises with captions of others, nats."""
    return {
        "gen_ce": float(true.ce_P.mean()),
        "gen_accuracy": 100 * float(true.correct_P.mean()),
        "shuffled_caption_gap": float((shuffled.ce_P - true.ce_P).mean()),
    }


def summarise_generation(
    true: Scores, shuffled: Scores, training_ids_NL: NDArray[np.integer], codes: int
) -> dict[str, NDArray[np.float64]]:
    """Cross-entropy (nats) and accuracy of each prediction, and baseline cross-entropies, [P]."""
    assert np.array_equal(true.target_ids_P, shuffled.target_ids_P)
    return {
        "ce": true.ce_P,
        "accuracy": true.correct_P.astype(np.float64),
        "shuffled_caption_ce": shuffled.ce_P,
        "unigram_ce": unigram_ce(training_ids_NL, true.target_ids_P, codes),
        "position_unigram_ce": position_unigram_ce(
            training_ids_NL, true.target_ids_P, true.position_P, codes
        ),
    }


def generation_metrics(
    values: dict[str, NDArray[np.float64]], pid_P: NDArray[Any]
) -> dict[str, Any]:
    """Means of what `summarise_generation` gives, and of its differences with 95 % intervals.

    There is no interval where there are too few identities for one.
    """
    gap_P = values["shuffled_caption_ce"] - values["ce"]
    floor_P = values["position_unigram_ce"] - values["ce"]
    metrics: dict[str, Any] = {
        "ce": float(values["ce"].mean()),
        "accuracy": 100 * float(values["accuracy"].mean()),
        "unigram_ce": float(values["unigram_ce"].mean()),
        "position_unigram_ce": float(values["position_unigram_ce"].mean()),
    }
    for name, difference_P in (("shuffled_caption_gap", gap_P), ("below_floor", floor_P)):
        interval = paired_bootstrap(difference_P, pid_P)
        metrics[name] = interval.mean
        if interval.ends is not None:
            metrics[f"{name}_low"], metrics[f"{name}_high"] = interval.ends
    return {name: round(value, 4) for name, value in metrics.items()}
