"""A model of parts that is small enough to compute by hand, and queries of all kinds for it."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import torch
from torch import nn

from ubg.data.images.normalisation import Normalisation
from ubg.data.query_kinds import KINDS
from ubg.data.text.captions import CLIP_FIELDS
from ubg.systems.clip_mer.evaluation.kinds import parts_of
from ubg.systems.clip_mer.evaluation.measure import Gallery
from ubg.systems.clip_mer.evaluation.parts import make_queries

CHANNELS = {"nir": 1, "cp": 3, "sk": 1}
HEIGHT, WIDTH = 4, 2


class ToyMer(nn.Module):
    """One token a part: a bag of words, or a projection of the pixels; fused by tanh of the sum."""

    caption_fields = CLIP_FIELDS

    def __init__(self, width=6, dim=5, words=100):
        super().__init__()
        self.words = nn.EmbeddingBag(words, width)
        self.pixels = nn.ModuleDict(
            {name: nn.Linear(count * HEIGHT * WIDTH, width) for name, count in CHANNELS.items()}
        )
        self.out = nn.Linear(width, dim)
        self.normalisations = {
            name: Normalisation((0.5,) * count, (0.25,) * count) for name, count in CHANNELS.items()
        }
        self.encoded = dict.fromkeys((*CHANNELS, "text"), 0)

    def part_tokens(self, name, inputs):
        if name == "text":
            ids, mask = (inputs[field] for field in CLIP_FIELDS)
            rows = zip(ids, mask, strict=True)
            tokens = torch.cat([self.words(row[seen == 1][None]) for row, seen in rows])
        else:
            tokens = self.pixels[name](inputs["images"].flatten(1))
        self.encoded[name] += len(tokens)
        return tokens[:, None]

    def fuse(self, parts):
        mean = sum(tokens.mean(dim=1) for tokens in parts.values()) / len(parts)
        return nn.functional.normalize(self.out(mean.tanh()), dim=-1)

    def single(self, name, tokens):
        return self.fuse({name: tokens})


class MemoryPack:
    """The interface of `ImagePack` over an array."""

    def __init__(self, image_ids, channels, seed, size=(HEIGHT, WIDTH)):
        self.image_ids = np.asarray(image_ids)
        self.height, self.width = size
        shape = (len(image_ids), *size, channels)
        self.pixels = np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)

    def row_of(self, image_ids):
        rows = np.searchsorted(self.image_ids, image_ids)
        assert (self.image_ids[rows] == image_ids).all()
        return rows

    def read(self, rows, out=None):
        if out is not None:
            out[:] = self.pixels[rows]
        return self.pixels[rows]


class WordTokenizer:
    """A word is its length."""

    pad_token_id, eos_token_id, unk_token_id = 0, 1, None

    def __call__(self, texts, **options):
        return {"input_ids": [[*(2 + len(word) for word in text.split()), 1] for text in texts]}


def toy_modalities(persons=4, per_kind=6, seed=0, size=(HEIGHT, WIDTH)):
    """Each person has two images of each part and two captions; queries of all kinds draw them."""
    rng = np.random.default_rng(seed)
    images = pd.DataFrame(
        [("test", pid, modality) for modality in CHANNELS for pid in range(persons) for _ in "ab"],
        columns=["split", "pid", "modality"],
    )
    images["image_id"] = np.arange(len(images))
    rows = []
    for kind in KINDS:
        for number in range(per_kind):
            pid = number % persons
            row = {"split": "test", "kind": kind, "pid": pid, "caption": ""}
            row |= dict.fromkeys(CHANNELS, -1)
            for part in parts_of(kind):
                if part == "text":
                    row["caption"] = f"person {'x' * (1 + pid)} {'yy' * (1 + rng.integers(2))}"
                else:
                    own = images[(images["pid"] == pid) & (images["modality"] == part)]
                    row[part] = int(rng.choice(own["image_id"]))
            rows.append(row)
    packs = {
        name: MemoryPack(images.loc[images["modality"] == name, "image_id"], channels, seed, size)
        for name, channels in CHANNELS.items()
    }
    return SimpleNamespace(images=images, queries=pd.DataFrame(rows), packs=packs, fingerprint="")


def queries_of(modalities):
    return make_queries(modalities, "test", WordTokenizer(), 20, CLIP_FIELDS)


def toy_gallery(persons=4, images=3, dim=5, seed=1):
    rng = np.random.default_rng(seed)
    features = torch.from_numpy(rng.normal(size=(persons * images, dim)).astype(np.float32))
    return Gallery(
        features / features.norm(dim=1, keepdim=True), np.arange(len(features)) % persons
    )
