"""A held-out split in memory: seven images, two captions each."""

import numpy as np
import pandas as pd
from tiny_models import HEIGHT, WIDTH, targets_of

from ubg.data.text.captions import TokenisedCaptions
from ubg.systems.phase4.joint.held_out import HeldOut

IMAGES = 7


class MemoryPack:
    """The interface of the image pack over an array, for images 0, 1, 2, .."""

    height, width = HEIGHT, WIDTH

    def __init__(self):
        rng = np.random.default_rng(0)
        self.pixels = rng.integers(0, 256, (IMAGES, HEIGHT, WIDTH, 3), dtype=np.uint8)

    def row_of(self, image_ids):
        return image_ids

    def read(self, rows, out):
        out[:] = self.pixels[rows]


class WordTokenizer:
    pad_token_id = 0

    def __call__(self, texts, **options):
        return {"input_ids": [[*(len(word) + 1 for word in t.split()), 1] for t in texts]}


def held_out_table():
    rows = [
        {
            "split": "val",
            "image_id": image,
            "caption_id": 2 * image + which,
            "pid": image // 2,
            "caption": " ".join(["red", "coat", "and", "trousers"][: 1 + (image + which) % 4]),
        }
        for image in range(IMAGES)
        for which in (0, 1)
    ]
    return pd.DataFrame(rows)


def hold_out(table, generation):
    captions = TokenisedCaptions(WordTokenizer(), table["caption"].tolist(), 9)
    return HeldOut(table, captions, MemoryPack(), targets_of(generation, IMAGES))
