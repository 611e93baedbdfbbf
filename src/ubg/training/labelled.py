"""Fewer labels: the training identities whose captions a system may see."""

import numpy as np
import pandas as pd

SEED = 0  # the same identities whatever the seed of the run


def with_labels(
    table: pd.DataFrame, identities: int | None, param: str = "labelled_identities"
) -> pd.DataFrame:
    """The annotations without the training rows of all but so many identities.

    Those kept are the first ones of a fixed permutation, so that a smaller number of them is
    contained in a larger one. Validation and test stay whole.

    Args:
        table: of all splits.
        identities: to keep; None keeps all.
        param: that says so, for the message.

    Raises:
        ValueError: there are fewer in training.
    """
    if identities is None:
        return table
    in_training = table["split"] == "train"
    pids = np.unique(table.loc[in_training, "pid"].to_numpy(np.int64))
    if identities > len(pids):
        raise ValueError(
            f"{param}: {identities} is more than the {len(pids)} identities of the "
            "training split; make it smaller, or null for all"
        )
    kept = np.random.default_rng(SEED).permutation(pids)[:identities]
    return table[~in_training | table["pid"].isin(kept)]
