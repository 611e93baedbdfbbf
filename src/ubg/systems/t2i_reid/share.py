"""How much the identity counts in the score, chosen on validation."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ubg.retrieval.metrics import retrieval_metrics
from ubg.systems.t2i_reid.branches import join

SHARES = [round(0.05 * step, 2) for step in range(1, 20)]


def choose_share(
    text: dict[str, Tensor],
    image: dict[str, Tensor],
    text_pids: NDArray[np.int64],
    image_pids: NDArray[np.int64],
) -> tuple[float, float]:
    """The share of the identity with the best R@1, text to image; of equals the nearest to 1/2.

    Args:
        text: unit vectors "identity" and "clothing", [Q, D] each.
        image: the same of the gallery, [G, D].
        text_pids: [Q].
        image_pids: [G].

    Returns:
        The share, one of `SHARES`, and its R@1 in percent.
    """
    found = {}
    for share in SHARES:
        weight = torch.tensor(share)
        rows, columns = join(text, weight), join(image, weight)
        found[share] = retrieval_metrics(rows, columns, text_pids, image_pids)["r1"]
    best = max(SHARES, key=lambda share: (found[share], -abs(share - 0.5)))
    return best, found[best]
