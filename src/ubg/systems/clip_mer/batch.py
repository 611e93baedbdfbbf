"""The pictures of other modalities that a training batch holds beside its images and captions."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from ubg.data.batches.augment import Augmenter, augment_images, normalisation_table
from ubg.data.batches.fields import Batch, Samples
from ubg.data.images.image_pack import ImagePack

DRAW = 0x6D6572  # keeps these draws apart from those of others with the same seed


class PartImages:
    """An image of one modality for each sample, of the sample's person where there is one.

    A person without one gets somebody else's and `<name>_present` False: shapes stay, what a
    network sees are always pictures, and the losses leave them out. Which image it is depends on
    seed, epoch and caption alone, as does its augmentation.

    Args:
        name: of the modality.
        pack: of its images.
        images_of: int64, for each training row the ids of its person's images, perhaps none.
        augmenter: with the normalisation of the modality.

    Raises:
        ValueError: nobody has an image.
    """

    images: Sequence[str] = ()

    def __init__(
        self,
        name: str,
        pack: ImagePack,
        images_of: Sequence[NDArray[np.int64]],
        augmenter: Augmenter,
    ):
        self.name = name
        self.pack = pack
        self.images_of = images_of
        self.augmenter = augmenter
        self.everybodys = np.unique(np.concatenate(images_of))
        if len(self.everybodys) == 0:
            raise ValueError(
                f"no training person has an image of modality {name!r}; clip_mer needs some"
            )
        self._normalised_values = normalisation_table(augmenter.normalisation)

    def add_to(self, batch: Batch, samples: Samples) -> Batch:
        """`<name>_images` float32 [B, C, H, W], augmented, and `<name>_present`, bool [B]."""
        present_B = np.array([len(self.images_of[row]) > 0 for row in samples.rows])
        ids_B = np.array(
            [
                self._choose(self.images_of[row] if there else self.everybodys, samples, place)
                for place, (row, there) in enumerate(zip(samples.rows, present_B, strict=True))
            ]
        )
        size, channels = (self.pack.height, self.pack.width), len(self._normalised_values)
        pixels_BHWC = np.empty((len(ids_B), *size, channels), np.uint8)
        self.pack.read(self.pack.row_of(ids_B), pixels_BHWC)
        draws = self.augmenter.draw(samples.epoch, ids_B, samples.caption_ids, size)
        images_BCHW = np.empty((len(ids_B), channels, *size), np.float32)
        augment_images(pixels_BHWC, draws, self._normalised_values, images_BCHW)
        return {
            f"{self.name}_images": torch.from_numpy(images_BCHW),
            f"{self.name}_present": torch.from_numpy(present_B),
        }

    def _choose(self, ids: NDArray[np.int64], samples: Samples, place: int) -> np.int64:
        caption = int(samples.caption_ids[place])
        drawn = np.random.default_rng([DRAW, self.augmenter.seed, samples.epoch, caption])
        return ids[drawn.integers(len(ids))]
