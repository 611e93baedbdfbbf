"""The picture of a composed query: the person of a sample in another outfit."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from ubg.data.batches.augment import Augmenter, augment_images, normalisation_table
from ubg.data.batches.fields import Batch, Samples
from ubg.data.clothing import FILE
from ubg.data.images.image_pack import ImagePack
from ubg.data.prepared import PREPARED

DRAW = 0x6F7574  # keeps these draws apart from those of others with the same seed


def require_several_outfits(rows: pd.DataFrame) -> None:
    """Refuse training rows, with `person` and `outfit`, in which nobody wears two outfits.

    Raises:
        ValueError: so it is.
    """
    if (rows.groupby("person")["outfit"].nunique() < 2).all():
        raise ValueError(
            f"{PREPARED / FILE}: no training person has two outfits, which the loss `composed` "
            "needs; set t2i_reid.losses.composed to null, or take another data set, such as "
            "`dataset: synthpedes_outfits`"
        )


class OtherOutfits:
    """An image of the sample's person in another outfit, where there is one.

    Who has one outfit alone is given the sample's own image, and `other_there` is False: the loss
    leaves such samples out. Which image it is depends on seed, epoch and caption alone, as does its
    augmentation.

    Args:
        rows: of training, each with `person`, `outfit` and `image_id`.
        pack: of the images.
        augmenter: of the run.
    """

    images: Sequence[str] = ("other_images",)

    def __init__(self, rows: pd.DataFrame, pack: ImagePack, augmenter: Augmenter) -> None:
        self.pack, self.augmenter = pack, augmenter
        self._normalised_values = normalisation_table(augmenter.normalisation)
        self._others_of = _images_in_other_outfits(rows)

    def add_to(self, batch: Batch, samples: Samples) -> Batch:
        """`other_images` float32 [B, 3, H, W], augmented, and `other_there`, bool [B]."""
        there_B = np.array([len(self._others_of[row]) > 0 for row in samples.rows])
        ids_B = np.array(
            [
                self._draw(row, samples.epoch, caption) if there else own
                for row, caption, there, own in zip(
                    samples.rows, samples.caption_ids, there_B, samples.image_ids, strict=True
                )
            ]
        )
        size = self.pack.height, self.pack.width
        pixels_BHWC = np.empty((len(ids_B), *size, 3), np.uint8)
        self.pack.read(self.pack.row_of(ids_B), pixels_BHWC)
        draws = self.augmenter.draw(samples.epoch, ids_B, samples.caption_ids, size)
        images = samples.room["other_images"]
        augment_images(pixels_BHWC, draws, self._normalised_values, images.numpy())
        return {"other_images": images, "other_there": torch.from_numpy(there_B)}

    def _draw(self, row: int, epoch: int, caption: int) -> np.int64:
        others = self._others_of[row]
        rng = np.random.default_rng([DRAW, self.augmenter.seed, epoch, caption])
        return others[rng.integers(len(others))]


def _images_in_other_outfits(rows: pd.DataFrame) -> list[NDArray[np.int64]]:
    """For each row the images of its person in other outfits, ascending."""
    images = rows[["person", "outfit", "image_id"]].drop_duplicates()
    others = {}
    for person, of_person in images.groupby("person"):
        for outfit in of_person["outfit"].unique():
            elsewhere = of_person.loc[of_person["outfit"] != outfit, "image_id"]
            others[person, outfit] = np.unique(elsewhere.to_numpy(np.int64))
    return [others[worn] for worn in zip(rows["person"], rows["outfit"], strict=True)]
