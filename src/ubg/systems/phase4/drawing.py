"""Which held-out samples are drawn, and from codes to pixels."""

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from ubg.systems.phase4.wrong_captions import with_another_colour
from ubg.vqgan.model.vqgan import VQGAN, to_uint8

DRAWN = 12


def choose_samples(table: pd.DataFrame, count: int) -> tuple[list[int], list[str]]:
    """Rows of different identities, spread over the split, whose caption names a colour.

    Returns:
        The rows, and for each its caption with the first colour changed.
    """
    rows = np.flatnonzero(~table["pid"].duplicated())
    changed = [(int(row), with_another_colour(table["caption"].iloc[row])) for row in rows]
    usable = [(row, text) for row, text in changed if text is not None]
    count = min(count, len(usable))
    picked = [usable[i * len(usable) // count] for i in range(count)]
    return [row for row, _ in picked], [text for _, text in picked]


@torch.inference_mode()
def decode_images(vqgan: VQGAN, ids_BL: Tensor, grid: tuple[int, int]) -> NDArray[np.uint8]:
    """The images of codes, uint8 [B, H, W, 3]."""
    images_B3HW = vqgan.decode(ids_BL.view(-1, *grid))
    return to_uint8(images_B3HW).permute(0, 2, 3, 1).cpu().numpy()
