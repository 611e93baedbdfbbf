"""Pictures of the other modalities in a training batch: whose they are, and who has none."""

import numpy as np
import pandas as pd
import pytest
import sections
import torch

from ubg.data.batches.augment import Augmenter, no_augmentation
from ubg.data.batches.fields import Samples
from ubg.data.images.normalisation import Normalisation
from ubg.systems.clip_mer.batch import PartImages
from ubg.systems.clip_mer.task import images_of_rows

STILL = sections.augmentation(flip=0.0, pad=0, erase=0.0)
LIVELY = sections.augmentation(flip=0.5, pad=2, erase=0.5)
# Person 7 has no image of this modality, person 3 two, one of them of another split.
TABLE = pd.DataFrame({"pid": [3, 3, 5, 7]})
IMAGES = pd.DataFrame(
    {
        "split": ["train", "train", "train", "test"],
        "pid": [3, 3, 5, 3],
        "image_id": [10, 11, 12, 13],
    }
)


class PackOfIds:
    """Every pixel of an image is its id."""

    height, width = 8, 4

    def row_of(self, image_ids):
        return np.asarray(image_ids)

    def read(self, rows, out):
        out[:] = np.asarray(rows, np.uint8)[:, None, None, None]
        return out


def fields_of(augmentation=STILL, channels=1, seed=0):
    normalisation = Normalisation((0.0,) * channels, (1 / 255,) * channels)
    augmenter = Augmenter(augmentation, normalisation, seed)
    return PartImages("nir", PackOfIds(), images_of_rows(TABLE, IMAGES), augmenter)


def samples(rows, epoch=0):
    rows = np.array(rows)
    none = np.empty((len(rows), 8, 4, 3), np.uint8)
    return Samples(epoch, rows, rows, 100 + rows, none, no_augmentation(len(rows)), {}, print)


def drawn(fields, rows, epoch=0):
    """Image ids and who has one."""
    added = fields.add_to({}, samples(rows, epoch))
    images_BCHW = added["nir_images"]
    assert images_BCHW.dtype == torch.float32
    assert images_BCHW.shape[2:] == (8, 4)
    return images_BCHW[:, 0, 4, 2].round().int().tolist(), added["nir_present"].tolist()


def test_images_are_those_of_the_person_and_of_the_training_split():
    found = [drawn(fields_of(), [0, 1, 2], epoch) for epoch in range(20)]
    assert all(present == [True, True, True] for _, present in found)
    assert {ids[2] for ids, _ in found} == {12}
    for place in (0, 1):
        assert {ids[place] for ids, _ in found} == {10, 11}


def test_who_has_none_gets_a_picture_of_somebody_and_is_marked():
    found = [drawn(fields_of(), [3, 2], epoch) for epoch in range(30)]
    assert all(present == [False, True] for _, present in found)
    assert {ids[0] for ids, _ in found} == {10, 11, 12}


def test_draws_do_not_depend_on_the_rest_of_the_batch():
    alone, together = fields_of(LIVELY), fields_of(LIVELY)
    for epoch in range(5):
        whole = together.add_to({}, samples([3, 1, 0], epoch))["nir_images"]
        for place, row in enumerate([3, 1, 0]):
            assert torch.equal(
                alone.add_to({}, samples([row], epoch))["nir_images"][0], whole[place]
            )


def test_seed_and_epoch_matter():
    rows = [0] * 3 + [1] * 3
    assert drawn(fields_of(), rows) == drawn(fields_of(), rows)
    chosen = [tuple(drawn(fields_of(seed=seed), [0, 1], e)[0]) for seed in (0, 1) for e in range(9)]
    assert len(set(chosen)) == 4


@pytest.mark.parametrize("channels", [1, 3])
def test_images_have_the_channels_of_their_normalisation(channels):
    added = fields_of(channels=channels).add_to({}, samples([0, 2]))
    assert added["nir_images"].shape == (2, channels, 8, 4)
    assert (added["nir_images"][1] == added["nir_images"][1, :1]).all()


def test_a_modality_that_nobody_has_is_refused():
    with pytest.raises(ValueError, match="no training person has an image of modality 'nir'"):
        PartImages("nir", PackOfIds(), images_of_rows(TABLE, IMAGES[3:]), fields_of().augmenter)
