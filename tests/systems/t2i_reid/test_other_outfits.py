"""The picture of a composed query: the same person in another outfit, drawn by seed and sample."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import sections
import torch
from toy_mer import MemoryPack

from ubg.data.batches.augment import Augmenter, no_augmentation
from ubg.data.images.normalisation import Normalisation
from ubg.systems.t2i_reid.other_outfits import OtherOutfits, require_several_outfits

# Image 7 has two captions. Person 1 has three outfits, person 2 one, person 3 that of person 1.
ROWS = pd.DataFrame(
    {
        "person": [1, 1, 1, 1, 1, 2, 2, 3, 3],
        "outfit": [5, 5, 5, 6, 8, 7, 7, 5, 9],
        "image_id": [7, 7, 2, 3, 4, 9, 5, 6, 8],
    }
)
OTHERS = [{3, 4}, {3, 4}, {3, 4}, {2, 4, 7}, {2, 3, 7}, set(), set(), {8}, {6}]
NORMALISATION = Normalisation(mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))
PACK = MemoryPack(np.arange(2, 10), 3, seed=0, size=(8, 4))


def fields_of(seed=0, **augmentation):
    plain = {"flip": 0.0, "pad": 0, "erase": 0.0}
    augmenter = Augmenter(sections.augmentation(**plain | augmentation), NORMALISATION, seed)
    return OtherOutfits(ROWS, PACK, augmenter)


def batch_of(fields, rows, epoch=0):
    rows = np.array(rows)
    samples = SimpleNamespace(
        epoch=epoch,
        rows=rows,
        image_ids=ROWS["image_id"].to_numpy()[rows],
        caption_ids=100 + rows,
        draws=no_augmentation(len(rows)),
        room={"other_images": torch.full((len(rows), 3, 8, 4), torch.nan)},
    )
    return fields.add_to({}, samples)


def images_of(batch):
    """Which image of the pack each one is."""
    known = torch.from_numpy(PACK.pixels).permute(0, 3, 1, 2) / 255
    distance = (batch["other_images"][:, None] - known[None]).abs().amax(dim=(2, 3, 4))
    assert (distance.amin(dim=1) < 1e-6).all()
    return PACK.image_ids[distance.argmin(dim=1)].tolist()


def test_it_is_the_same_person_in_another_outfit():
    fields, everything = fields_of(), list(range(len(ROWS)))
    seen = [set() for _ in everything]
    for epoch in range(60):
        batch = batch_of(fields, everything, epoch)
        there = [bool(others) for others in OTHERS]
        assert batch["other_there"].tolist() == there
        for row, image in enumerate(images_of(batch)):
            seen[row].add(image)
    own = [{image} for image in ROWS["image_id"]]
    assert seen == [others or itself for others, itself in zip(OTHERS, own, strict=True)]


def test_a_draw_depends_on_seed_epoch_and_caption_alone():
    fields, everything = fields_of(flip=0.5, pad=2), list(range(len(ROWS)))
    together = batch_of(fields, everything, epoch=3)["other_images"]
    for row in everything:
        alone = batch_of(fields, [row], epoch=3)["other_images"]
        assert torch.equal(alone[0], together[row])
    again = batch_of(fields_of(flip=0.5, pad=2), everything, epoch=3)["other_images"]
    assert torch.equal(again, together)
    plain = fields_of()
    for others in (
        [batch_of(fields_of(seed), everything) for seed in range(1, 6)],
        [batch_of(plain, everything, epoch) for epoch in range(1, 6)],
    ):
        assert any(images_of(batch) != images_of(batch_of(plain, everything)) for batch in others)


def test_data_in_which_nobody_has_two_outfits_is_refused():
    require_several_outfits(ROWS)
    with pytest.raises(
        ValueError, match=r"clothing\.csv: no training person has two outfits.*null"
    ):
        require_several_outfits(ROWS[ROWS["person"] == 2])
