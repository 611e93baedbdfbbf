import threading

import numpy as np
import pandas as pd
import pytest
import sections
import torch

from ubg.data.batches import loader as loader_module
from ubg.data.batches.augment import (
    Augmenter,
    augment_images,
    draw_augmentation,
    normalisation_table,
)
from ubg.data.batches.fields import CaptionFields
from ubg.data.batches.loader import TrainingLoader, caption_batches, image_batches
from ubg.data.batches.samplers import RandomSampler
from ubg.data.images.normalisation import Normalisation
from ubg.data.text.captions import T5_FIELDS, TokenisedCaptions
from ubg.systems.irra.word_masking import CaptionMasking, MaskedWordFields
from ubg.systems.phase4.joint.targets import GenerationTargets

MEAN, STD = (0.5, 0.4, 0.3), (0.2, 0.3, 0.4)
NORMALISATION = Normalisation(MEAN, STD)
AUGMENTATION = sections.augmentation(flip=0.5, pad=2, erase=0.5, erase_fill="noise")
IMAGES, HEIGHT, WIDTH = 20, 12, 8


class MemoryPack:
    """The reader's interface over an array; `broken` makes reading one row fail."""

    def __init__(self, broken=None):
        rng = np.random.default_rng(0)
        self.pixels = rng.integers(0, 256, (IMAGES, HEIGHT, WIDTH, 3), dtype=np.uint8)
        self.height, self.width = HEIGHT, WIDTH
        self.image_ids = np.arange(IMAGES) * 3 + 7
        self.broken = broken
        self.reads = 0

    def row_of(self, image_ids):
        return np.searchsorted(self.image_ids, image_ids)

    def read(self, rows, out):
        self.reads += 1
        if self.broken in rows:
            raise OSError("disk gone")
        out[:] = self.pixels[rows]


class WordTokenizer:
    pad_token_id = 0

    def __call__(self, texts, **options):
        return {"input_ids": [[*(len(word) + 1 for word in t.split()), 1] for t in texts]}


def make_table():
    pack = MemoryPack()
    rows = [
        {
            "split": "train",
            "pid": 100 + 10 * (image // 4),
            "image_id": int(pack.image_ids[image]),
            "image_path": f"{image}.png",
            "caption_id": 2 * image + which,
            "caption": "red coat " * (1 + (image + which) % 5),
        }
        for image in range(IMAGES)
        for which in range(2)
    ]
    return pd.DataFrame(rows)


class MemoryTokens:
    """The interface of the VQ tokens: codes that tell image, mirror image and place."""

    grid = (3, 2)

    def batch(self, image_ids, mirrored):
        return 1000 * image_ids[:, None] + 100 * mirrored[:, None] + np.arange(6)


def make_targets():
    generation = sections.generation(decoder_layers=1, reveal=0.5, text_dropout=0.5)
    return GenerationTargets(MemoryTokens(), (3, 2), generation, seed=5)


def make_captions():
    return TokenisedCaptions(WordTokenizer(), make_table()["caption"].tolist(), 9)


def make_loader(batch_size=6, pack=None, workers=1, seed=3, fields=()):
    """With captions and, after them, `fields`."""
    table = make_table()
    return TrainingLoader(
        table,
        MemoryPack() if pack is None else pack,
        RandomSampler(len(table), batch_size, seed),
        [CaptionFields(make_captions()), *fields],
        Augmenter(AUGMENTATION, NORMALISATION, seed),
        workers,
    )


def ids_of(rows):
    table = make_table().iloc[rows]
    return table["image_id"].to_numpy(), table["caption_id"].to_numpy()


def copied(batches):
    return [{name: value.clone() for name, value in batch.items()} for batch in batches]


def assert_equal_batches(some, others):
    assert len(some) == len(others)
    for one, other in zip(some, others, strict=True):
        assert list(one) == list(other)
        for name in one:
            assert torch.equal(one[name], other[name]), name


def loader_threads():
    return [thread for thread in threading.enumerate() if thread.name.startswith("loader")]


def test_a_batch_holds_the_samples_of_its_rows():
    table, pack, loader = make_table(), MemoryPack(), make_loader()
    order = RandomSampler(len(table), 6, 3).epoch(4)
    batches = copied(loader.epoch(4))
    assert len(batches) == len(loader) == len(table) // 6
    for rows, batch in zip(order, batches, strict=True):
        image_ids = table["image_id"].to_numpy()[rows]
        caption_ids = table["caption_id"].to_numpy()[rows]
        expected = np.empty((6, 3, HEIGHT, WIDTH), np.float32)
        augment_images(
            pack.pixels[pack.row_of(image_ids)],
            draw_augmentation(AUGMENTATION, 3, 4, image_ids, caption_ids, (HEIGHT, WIDTH)),
            normalisation_table(NORMALISATION),
            expected,
        )
        np.testing.assert_array_equal(batch["images"], expected)
        assert batch["image_ids"].tolist() == image_ids.tolist()
        assert batch["pids"].tolist() == [(pid - 100) // 10 for pid in table["pid"][rows]]
        for name, value in make_captions().batch(rows).items():
            assert torch.equal(batch[name], value)
    types = {name: value.dtype for name, value in batches[0].items()}
    assert types.pop("images") == torch.float32
    assert set(types) == {"pids", "image_ids", "caption_ids_t5", "caption_attn_mask_t5"}
    assert set(types.values()) == {torch.int64}


def test_threads_epochs_before_and_the_first_step_change_nothing():
    expected = copied(make_loader().epoch(2))
    loader = make_loader(workers=3)
    for _ in loader.epoch(1):
        pass
    assert_equal_batches(copied(loader.epoch(2)), expected)
    assert_equal_batches(copied(loader.epoch(2, start_step=4)), expected[4:])
    assert copied(loader.epoch(2, start_step=len(loader))) == []


def test_an_image_is_augmented_alike_whatever_the_batch_size():
    def by_caption(batch_size):
        loader = make_loader(batch_size)
        order = np.concatenate(list(loader.sampler.epoch(0)))
        images = torch.cat([batch["images"] for batch in copied(loader.epoch(0))])
        return dict(zip(order.tolist(), images, strict=True))

    small, large = by_caption(4), by_caption(10)
    assert set(small) == set(large) == set(range(2 * IMAGES))
    assert all(torch.equal(small[row], large[row]) for row in small)


def test_images_stay_until_the_next_batch_is_asked_for():
    for batch in make_loader(batch_size=3).epoch(0):
        before = batch["images"].clone()
        for thread in loader_threads():
            thread.join(timeout=0.002)
        assert torch.equal(batch["images"], before)


def test_batches_are_prepared_ahead_but_no_further_than_the_ring():
    pack = MemoryPack()
    batches = make_loader(batch_size=2, pack=pack).epoch(0)
    next(batches)
    batches.close()
    assert 1 <= pack.reads <= 1 + loader_module.BATCHES_AHEAD


def test_an_error_in_a_thread_reaches_the_consumer_and_ends_the_threads():
    pack = MemoryPack(broken=5)
    loader = make_loader(pack=pack)
    with pytest.raises(OSError, match="disk gone"):
        list(loader.epoch(0))
    assert loader_threads() == []


def test_leaving_early_ends_the_threads_and_the_loader_can_go_on():
    loader = make_loader(workers=2)
    expected = copied(make_loader().epoch(0))
    for _ in loader.epoch(0):
        break
    assert loader_threads() == []
    assert_equal_batches(copied(loader.epoch(0)), expected)


def test_two_epochs_at_once_do_not_share_buffers():
    loader = make_loader()
    first, second = copied(loader.epoch(0)), copied(loader.epoch(1))
    both = zip(loader.epoch(0), loader.epoch(1), strict=True)
    for (one, other), *expected in zip(both, first, second, strict=True):
        assert_equal_batches([one, other], expected)


@pytest.mark.parametrize("batch_size", [1, 7, 20, 64])
def test_evaluation_images_come_in_the_order_asked_for(batch_size):
    pack = MemoryPack()
    image_ids = pack.image_ids[::-1][:15]
    batches = [b.clone() for b in image_batches(pack, image_ids, NORMALISATION, batch_size)]
    assert [len(batch) for batch in batches[:-1]] == [batch_size] * (len(batches) - 1)
    scaled = torch.from_numpy(pack.pixels[::-1][:15].copy()).float() / 255
    expected = ((scaled - torch.tensor(MEAN)) / torch.tensor(STD)).permute(0, 3, 1, 2)
    torch.testing.assert_close(torch.cat(batches), expected)


def test_evaluation_captions_come_once_each_and_with_little_padding():
    captions = make_captions()
    batches = list(caption_batches(captions, 8))
    rows = np.concatenate([rows for rows, _ in batches])
    assert sorted(rows) == list(range(len(captions)))
    widths = [batch["caption_ids_t5"].shape[1] for _, batch in batches]
    assert widths == sorted(widths)
    tokens = [batch["caption_ids_t5"].numel() for _, batch in batches]
    assert len(batches) > 2
    assert max(tokens) <= 8 * captions.lengths.mean()
    for rows, batch in batches:
        assert torch.equal(batch["caption_ids_t5"], captions.batch(rows)["caption_ids_t5"])


def test_masked_images_are_flipped_alike_but_neither_cropped_nor_erased():
    loader, plain = make_loader(fields=[make_targets()]), make_loader()
    mean, std = torch.tensor(MEAN), torch.tensor(STD)
    order = np.concatenate(list(loader.sampler.epoch(1)))
    batches, flips = copied(loader.epoch(1)), 0
    without = copied(plain.epoch(1))
    for start, (batch, other) in enumerate(zip(batches, without, strict=True)):
        rows = order[start * 6 : start * 6 + 6]
        for name in other:
            assert torch.equal(batch[name], other[name])
        image_ids, caption_ids = ids_of(rows)
        draws = draw_augmentation(AUGMENTATION, 3, 1, image_ids, caption_ids, (HEIGHT, WIDTH))
        for b, row in enumerate(rows):
            image = torch.from_numpy(loader.pack.pixels[row // 2]).float() / 255
            image = ((image - mean) / std).permute(2, 0, 1)
            mirrored = bool(draws.geometry_B7[b, 0])
            image = image.flip(2) if mirrored else image
            for patch in batch["masked_patches"][b].nonzero()[:, 0].tolist():
                top, left = HEIGHT // 3 * (patch // 2), WIDTH // 2 * (patch % 2)
                image[:, top : top + HEIGHT // 3, left : left + WIDTH // 2] = 0
            torch.testing.assert_close(batch["masked_images"][b], image)
            asked = batch["vq_target_ids"][b][batch["vq_target_ids"][b] >= 0]
            assert len(asked)
            assert set((asked // 1000).tolist()) == {int(image_ids[b])}
            assert set((asked // 100 % 10).tolist()) == {int(mirrored)}
            flips += mirrored
    assert 0 < flips < 2 * IMAGES


def test_fields_of_generation_are_those_of_the_epoch_and_the_samples():
    targets = make_targets()
    loader = make_loader(fields=[targets])
    rows = next(iter(loader.sampler.epoch(4)))
    batch = copied(loader.epoch(4))[0]
    ids = ids_of(rows)
    flips = draw_augmentation(AUGMENTATION, 3, 4, *ids, (HEIGHT, WIDTH)).geometry_B7[:, 0] == 1
    fields = targets.fields(4, *ids, flips)
    assert set(batch) == {
        "images",
        "pids",
        "image_ids",
        "caption_ids_t5",
        "caption_attn_mask_t5",
        "masked_images",
        *fields,
    }
    for name, values in fields.items():
        assert torch.equal(batch[name], values), name


def test_with_generation_an_epoch_goes_on_from_the_middle_with_the_same_batches():
    expected = copied(make_loader(fields=[make_targets()]).epoch(2))
    loader = make_loader(fields=[make_targets()], workers=3)
    assert_equal_batches(copied(loader.epoch(2, start_step=3)), expected[3:])
    assert_equal_batches(copied(loader.epoch(2)), expected)


def test_both_versions_of_the_images_stay_until_the_next_batch_is_asked_for():
    for batch in make_loader(batch_size=3, fields=[make_targets()]).epoch(0):
        before = batch["images"].clone(), batch["masked_images"].clone()
        for thread in loader_threads():
            thread.join(timeout=0.002)
        assert torch.equal(batch["images"], before[0])
        assert torch.equal(batch["masked_images"], before[1])


def test_masked_captions_are_those_of_the_epoch_and_the_captions():
    masking = CaptionMasking(0.5, words=100, mask_id=200, seed=3)
    masked = MaskedWordFields(masking, T5_FIELDS)
    loader, plain = make_loader(fields=[masked], workers=2), make_loader()
    batches = copied(loader.epoch(4))
    for rows, batch, without in zip(
        loader.sampler.epoch(4), batches, copied(plain.epoch(4)), strict=True
    ):
        fields = {name: batch.pop(name) for name in ("mlm_ids", "mlm_labels")}
        assert_equal_batches([batch], [without])
        expected = masking.fields(
            4, ids_of(rows)[1], batch["caption_ids_t5"], batch["caption_attn_mask_t5"]
        )
        assert_equal_batches([fields], [expected])
    rest = copied(make_loader(fields=[masked]).epoch(4, start_step=3))
    assert_equal_batches([dict(batch) for batch in rest], copied(loader.epoch(4))[3:])
