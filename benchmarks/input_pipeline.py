"""Training input, samples per second: this project's pipeline beside a conventional one.

Conventional: a torch `DataLoader` with two worker processes; per sample, PIL opens and resizes the
file, torchvision flips, pads, crops, normalises and erases, and a tokenizer pads to the maximum.
Ours: packed images, one compiled pass in two threads, captions tokenised once. Both end in float
images and padded token ids on CPU. Checked first: with augmentation off the images are equal; with
it on, each channel has the same mean and standard deviation, and both erase and pad as much.

    python benchmarks/input_pipeline.py
"""

import os
import statistics
import tempfile
import time
from pathlib import Path

os.environ["TOKENIZERS_PARALLELISM"] = "false"

import numpy as np
import pandas as pd
import torch
from PIL import Image
from plain import sizes
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms

from ubg.data.batches.augment import Augmenter
from ubg.data.batches.fields import CaptionFields
from ubg.data.batches.loader import TrainingLoader
from ubg.data.batches.samplers import RandomSampler
from ubg.data.images.image_pack import ImagePack
from ubg.data.images.normalisation import Normalisation
from ubg.data.images.pack import pack_images
from ubg.data.text.captions import TokenisedCaptions
from ubg.data.text.unigram import fit_tokenizer

HEIGHT, WIDTH, BATCH_SIZE, MAX_TOKENS = 384, 128, 64, 77
MEAN, STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
PAPER = sizes.BASE.augmentation
NONE = PAPER.model_copy(update={"flip": 0.0, "pad": 0, "erase": 0.0})
IMAGES, ROUNDS = 1024, 5


class ConventionalDataset(Dataset):
    """One sample at a time, from the file and the text."""

    def __init__(self, table, root, tokenizer, augmentation):
        self.root = root
        self.tokenizer = tokenizer
        self.records = table.to_dict("records")
        self.transform = transforms.Compose(
            [
                transforms.RandomHorizontalFlip(augmentation.flip),
                transforms.Pad(augmentation.pad),
                transforms.RandomCrop((HEIGHT, WIDTH)),
                transforms.ToTensor(),
                transforms.Normalize(MEAN, STD),
                transforms.RandomErasing(
                    augmentation.erase,
                    scale=augmentation.erase_area,
                    ratio=(augmentation.erase_aspect, 1 / augmentation.erase_aspect),
                ),
            ]
        )

    def __len__(self):
        return len(self.records)

    def __getitem__(self, row):
        record = self.records[row]
        with Image.open(self.root / record["image_path"]) as file:
            image = file.convert("RGB").resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC)
        text = self.tokenizer(
            record["caption"],
            padding="max_length",
            truncation=True,
            max_length=MAX_TOKENS,
            return_tensors="pt",
        )
        return {
            "images": self.transform(image),
            "pids": record["pid"],
            "image_ids": record["image_id"],
            "caption_ids_t5": text["input_ids"][0],
            "caption_attn_mask_t5": text["attention_mask"][0],
        }


def conventional(table, root, tokenizer, augmentation, shuffle=True):
    return DataLoader(
        ConventionalDataset(table, root, tokenizer, augmentation),
        batch_size=BATCH_SIZE,
        shuffle=shuffle,
        drop_last=True,
        num_workers=2,
        persistent_workers=True,
    )


def ours(table, pack, tokenizer, augmentation):
    captions = TokenisedCaptions(tokenizer, table["caption"].tolist(), MAX_TOKENS)
    sampler = RandomSampler(len(table), BATCH_SIZE, seed=0)
    augmenter = Augmenter(augmentation, Normalisation(MEAN, STD), seed=0)
    return TrainingLoader(table, pack, sampler, [CaptionFields(captions)], augmenter, workers=2)


def draw_dataset(root):
    """Smooth coloured noise in files of the size of surveillance crops, two captions each."""
    rng = np.random.default_rng(0)
    words = np.array(["a", "woman", "man", "in", "red", "blue", "coat", "jacket", "with", "bag"])
    rows = []
    for image in range(IMAGES):
        width = int(rng.integers(60, 150))
        coarse = Image.fromarray(rng.integers(0, 256, (12, 4, 3), dtype=np.uint8))
        path = f"{image}.jpg"
        coarse.resize((width, int(2.6 * width)), Image.Resampling.BICUBIC).save(root / path)
        for which in range(2):
            caption = " ".join(rng.choice(words, rng.integers(10, 40)))
            rows.append(("train", image // 4, image, path, 2 * image + which, caption))
    columns = ["split", "pid", "image_id", "image_path", "caption_id", "caption"]
    return pd.DataFrame(rows, columns=columns)


def check_equal_without_augmentation(table, root, pack, tokenizer):
    loader = ours(table, pack, tokenizer, NONE)
    dataset = ConventionalDataset(table, root, tokenizer, NONE)
    rows = next(loader.sampler.epoch(0))
    batch = next(loader.epoch(0))
    for position, row in enumerate(rows):
        sample = dataset[int(row)]
        assert torch.equal(batch["images"][position], sample["images"])
        tokens = int(batch["caption_attn_mask_t5"][position].sum())
        assert tokens == int(sample["caption_attn_mask_t5"].sum())
        ids = batch["caption_ids_t5"][position, :tokens]
        assert torch.equal(ids, sample["caption_ids_t5"][:tokens])


def distribution(batches):
    """Mean and deviation of each channel, and the shares of erased and of black pixels."""
    black = (-torch.tensor(MEAN) / torch.tensor(STD)).view(3, 1, 1)
    facts = []
    for batch in batches:
        images = batch["images"]
        pixels = images.transpose(0, 1).flatten(1)
        erased = (images == 0).all(1).float().mean()
        padded = ((images - black).abs() < 1e-5).all(1).float().mean()
        facts.append(torch.cat([pixels.mean(1), pixels.std(1), torch.stack([erased, padded])]))
    return torch.stack(facts).mean(0)


def samples_per_second(epochs):
    started, samples = time.perf_counter(), 0
    for epoch in epochs:
        for batch in epoch:
            samples += len(batch["images"])
    return samples / (time.perf_counter() - started)


def main():
    torch.manual_seed(0)
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        table = draw_dataset(root)
        tokenizer = fit_tokenizer(table["caption"].tolist(), 1000, root / "tokenizer")
        size = sizes.image(HEIGHT, WIDTH)
        pack_images(table, root, size, root / "pack")
        pack = ImagePack(root / "pack")
        check_equal_without_augmentation(table, root, pack, tokenizer)
        print("without augmentation: images and tokens equal")

        slow = conventional(table, root, tokenizer, PAPER)
        fast = ours(table, pack, tokenizer, PAPER)
        theirs, own = distribution(slow), distribution(fast.epoch(0))
        print("with augmentation: means and deviations of R, G, B; shares erased and black")
        for title, facts in (("conventional", theirs), ("ours", own)):
            print(f"  {title:13}" + " ".join(f"{value:7.4f}" for value in facts.tolist()))
        torch.testing.assert_close(own, theirs, atol=0.02, rtol=0)

        ratios = []
        for turn in range(ROUNDS):
            before = samples_per_second([slow])
            after = samples_per_second(fast.epoch(10 * turn + epoch) for epoch in range(10))
            ratios.append(after / before)
            print(
                f"round {turn}: conventional {before:.0f}, ours {after:.0f} samples/s "
                f"({1000 * BATCH_SIZE / after:.1f} ms a batch of {BATCH_SIZE}): "
                f"{ratios[-1]:.1f} times"
            )
        print(f"median ratio: {statistics.median(ratios):.1f} (bar: 10)")


if __name__ == "__main__":
    main()
