"""Flip, pad and crop, normalise and erase a batch of uint8 images in one compiled pass.

The transforms are those of IRRA (arXiv 2303.12501), in its order: horizontal flip, black padding
and random crop, scaling to [0, 1] and normalisation, random erasing (Zhong et al.,
arXiv 1708.04896). What happens to a sample is drawn first (`draw_augmentation`) and applied
afterwards (`augment_images`). A draw depends on seed, epoch, image and caption alone, so it is the
same in every batch composition, order and number of threads.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ubg.data.batches.splitmix import integer, mix, start, uniform
from ubg.data.images.normalisation import Normalisation
from ubg.params import Augmentation
from ubg.runtime.compiled import cached_njit

ERASING_TRIES = 10


class Draws(NamedTuple):
    """What happens to each sample of a batch of B.

    Attributes:
        geometry_B7: int32; flip (0 or 1), then the vertical and horizontal offset in pixels of the
            crop, within [-pad, pad], then top, left, height and width of the erased box in the crop
            (height 0: nothing is erased).
        noise_B: uint64; seed of the noise that fills the box; 0 fills it with zeros.
    """

    geometry_B7: NDArray[np.int32]
    noise_B: NDArray[np.uint64]


@dataclass(frozen=True)
class Augmenter:
    """What the images of a run go through.

    Attributes:
        params: probabilities and ranges of the augmentation.
        normalisation: of the tower in use.
        seed: of the run.
    """

    params: Augmentation
    normalisation: Normalisation
    seed: int

    def draw(
        self,
        epoch: int,
        image_ids: NDArray[np.int64],
        caption_ids: NDArray[np.int64],
        size: tuple[int, int],
    ) -> Draws:
        """Draw what happens to the images of a batch; see `draw_augmentation`."""
        return draw_augmentation(self.params, self.seed, epoch, image_ids, caption_ids, size)


def normalisation_table(normalisation: Normalisation) -> NDArray[np.float32]:
    """Every channel's value of every byte: (byte / 255 - mean) / std, float32 [C, 256]."""
    scaled = np.arange(256, dtype=np.float32) / np.float32(255)
    mean_C1 = np.asarray(normalisation.mean, np.float32)[:, None]
    std_C1 = np.asarray(normalisation.std, np.float32)[:, None]
    return (scaled - mean_C1) / std_C1


def no_augmentation(size: int) -> Draws:
    """Draws that leave `size` images as they are, for evaluation."""
    return Draws(np.zeros((size, 7), np.int32), np.zeros(size, np.uint64))


def draw_augmentation(
    augmentation: Augmentation,
    seed: int,
    epoch: int,
    image_ids: NDArray[np.int64],
    caption_ids: NDArray[np.int64],
    size: tuple[int, int],
) -> Draws:
    """Draw flip, crop offset and erased box for each (image, caption) pair of a batch.

    The box is drawn as torchvision's `RandomErasing` does: an area and a log-uniform aspect ratio
    in [erase_aspect, 1 / erase_aspect], up to ten times until it is smaller than the image.

    Args:
        augmentation: probabilities and ranges.
        seed: of the run.
        epoch: counted from 0.
        image_ids: int64 [B].
        caption_ids: int64 [B]; an image comes once per caption in every epoch.
        size: height and width of the images, in pixels.
    """
    return Draws(
        *_draw(
            np.uint64(seed),
            np.uint64(epoch),
            image_ids,
            caption_ids,
            *size,
            float(augmentation.flip),
            augmentation.pad,
            float(augmentation.erase),
            float(augmentation.erase_area[0]),
            float(augmentation.erase_area[1]),
            float(np.log(augmentation.erase_aspect)),
            augmentation.erase_fill == "noise",
        )
    )


@cached_njit()
def augment_images(
    images_BHWC: NDArray[np.uint8],
    draws: Draws,
    table: NDArray[np.float32],
    out_BCHW: NDArray[np.float32],
) -> None:
    """Apply `draws` to a batch and write it normalised, channels first. Releases the GIL.

    Padding is black, that is (0 - mean) / std; an erased box is zero, the mean colour, or N(0, 1).

    Args:
        images_BHWC: uint8 [B, H, W, C].
        draws: the `Draws` of the batch.
        table: float32 [C, 256], from `normalisation_table`.
        out_BCHW: float32 [B, C, H, W], written; reuse it, a fresh one costs more than the work.
    """
    batch, height, width, channels = images_BHWC.shape
    geometry_B7, noise_B = draws
    for b in range(batch):
        flip, down, right = geometry_B7[b, :3]
        start = min(max(0, -right), width)
        stop = max(min(width, width - right), start)
        first = width - right - stop if flip else start + right
        for y in range(height):
            if not 0 <= y + down < height:
                for c in range(channels):
                    out_BCHW[b, c, y, :] = table[c, 0]
                continue
            source = images_BHWC[b, y + down, first : first + stop - start]
            mirrored = source[::-1]
            # One channel at a time: three output planes at once halve the speed of mirrored images.
            for c in range(channels):
                values = table[c]
                row = out_BCHW[b, c, y]
                row[:start] = values[0]
                row[stop:] = values[0]
                target = row[start:stop]
                if flip:
                    for x in range(len(target)):
                        target[x] = values[mirrored[x, c]]
                else:
                    for x in range(len(target)):
                        target[x] = values[source[x, c]]
        _erase(out_BCHW[b], geometry_B7[b, 3:], noise_B[b])


@cached_njit()
def _erase(image_CHW: NDArray[np.float32], box: NDArray[np.int32], noise: np.uint64) -> None:
    top, left, height, width = box
    if noise == 0:
        image_CHW[:, top : top + height, left : left + width] = 0.0
        return
    state = noise
    for c in range(len(image_CHW)):
        for y in range(top, top + height):
            for x in range(left, left + width):
                state, radius = uniform(state)
                state, angle = uniform(state)
                # Box and Muller; 1 - u is in (0, 1], so its logarithm is finite.
                normal = np.sqrt(-2 * np.log(1 - radius)) * np.cos(2 * np.pi * angle)
                image_CHW[c, y, x] = normal


@cached_njit()
def _draw(
    seed: np.uint64,
    epoch: np.uint64,
    image_ids: NDArray[np.int64],
    caption_ids: NDArray[np.int64],
    height: int,
    width: int,
    flip: float,
    pad: int,
    erase: float,
    min_area: float,
    max_area: float,
    min_log_aspect: float,
    noise: bool,
) -> tuple[NDArray[np.int32], NDArray[np.uint64]]:
    batch = len(image_ids)
    geometry_B7 = np.zeros((batch, 7), np.int32)
    noise_B = np.zeros(batch, np.uint64)
    for b in range(batch):
        state = start(seed, epoch, np.uint64(image_ids[b]), np.uint64(caption_ids[b]))
        state, u = uniform(state)
        geometry_B7[b, 0] = u < flip
        state, geometry_B7[b, 1] = integer(state, 2 * pad + 1)
        state, geometry_B7[b, 2] = integer(state, 2 * pad + 1)
        geometry_B7[b, 1:3] -= pad
        state, u = uniform(state)
        if u >= erase:
            continue
        for _ in range(ERASING_TRIES):
            state, u = uniform(state)
            area = height * width * (min_area + u * (max_area - min_area))
            state, u = uniform(state)
            aspect = np.exp(min_log_aspect * (1 - 2 * u))
            box_height = int(np.rint(np.sqrt(area * aspect)))
            box_width = int(np.rint(np.sqrt(area / aspect)))
            if box_height < height and box_width < width:
                state, top = integer(state, height - box_height + 1)
                state, left = integer(state, width - box_width + 1)
                geometry_B7[b, 3:] = (top, left, box_height, box_width)
                break
        if noise:
            noise_B[b] = mix(state) | np.uint64(1)
    return geometry_B7, noise_B
