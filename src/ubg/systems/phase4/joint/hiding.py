"""Images with masked patches: mirrored like those of the batch, neither cropped nor erased."""

import numpy as np
from numpy.typing import NDArray

from ubg.data.batches.augment import Draws
from ubg.runtime.compiled import cached_njit


def flip_alone(draws: Draws) -> Draws:
    """The mirroring of `draws` without crop and erasing."""
    geometry_B7 = np.zeros_like(draws.geometry_B7)
    geometry_B7[:, 0] = draws.geometry_B7[:, 0]
    return Draws(geometry_B7, np.zeros_like(draws.noise_B))


@cached_njit()
def hide_patches(
    images_BCHW: NDArray[np.float32], masked_BN: NDArray[np.bool_], rows: int, columns: int
) -> None:
    """Set the masked patches of normalised images to 0, the mean colour, in place."""
    batch, _, height, width = images_BCHW.shape
    patch_height, patch_width = height // rows, width // columns
    for b in range(batch):
        for n in range(rows * columns):
            if masked_BN[b, n]:
                top, left = n // columns * patch_height, n % columns * patch_width
                images_BCHW[b, :, top : top + patch_height, left : left + patch_width] = 0.0
