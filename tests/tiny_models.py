"""Phases 3 and 4 small enough for a test: sizes, batches, and VQ codes in memory."""

import numpy as np
import torch

from ubg.generation.targets import GenerationTargets
from ubg.models.build import build_model
from ubg.models.phase4 import add_generator
from ubg.params import (
    ClipTextTower,
    Generation,
    Image,
    SharedEncoder,
    TextTower,
    Towers,
    VisionTower,
    load_params,
)

HEIGHT, WIDTH, GRID = 64, 32, (4, 2)
PATCHES, CODES, VOCABULARY = 8, 20, 50


def tiny_scale(
    positions="1d", pooling="mean", cls_token=False, dropout=0.0, conv_stem=False, attention="eager"
):
    vision = VisionTower(width=32, layers=2, heads=2, mlp_width=48, conv_stem=conv_stem)
    text = TextTower(width=24, layers=2, heads=2, mlp_width=48, dropout=dropout)
    clip_text = ClipTextTower(width=24, layers=2, heads=2, mlp_width=48, vocab_size=VOCABULARY)
    towers = Towers(attention=attention, clip=vision, clip_text=clip_text, siglip=vision, t5=text)
    return load_params().model.model_copy(
        update={
            "image": Image(height=HEIGHT, width=WIDTH),
            "towers": towers,
            "shared_encoder": SharedEncoder(
                pooling=pooling, cls_token=cls_token, image_positions=positions
            ),
            "embedding_dim": 16,
        }
    )


def tiny_generation(**changes):
    return Generation(**{"decoder_layers": 2, **changes})


def retrieval_batch(size=6):
    generator = torch.Generator().manual_seed(0)
    mask = torch.ones(size, 9, dtype=torch.long)
    for row in range(1, size):
        mask[row, 3 + row % 6 :] = 0
    return {
        "images": torch.randn(size, 3, HEIGHT, WIDTH, generator=generator),
        "caption_ids_t5": torch.randint(3, VOCABULARY, (size, 9), generator=generator) * mask,
        "caption_attn_mask_t5": mask,
        "pids": torch.tensor([0, 0, 1, 2, 3, 4])[:size],
        "image_ids": torch.arange(size),
    }


class MemoryTokens:
    """The interface of `VqTokens` over an array, for images 0, 1, 2, .."""

    def __init__(self, images, grid=GRID, codes=CODES):
        self.grid, self.codes = grid, codes
        shape = (images, 2, grid[0] * grid[1])
        self.ids_N2L = np.random.default_rng(0).integers(0, codes, shape)

    def batch(self, image_ids, mirrored):
        return self.ids_N2L[image_ids, mirrored.astype(int)]


def targets_of(generation, images=6, seed=0):
    return GenerationTargets(MemoryTokens(images), GRID, generation, seed)


def full_batch(generation, size=6):
    """A batch of both branches, half of it mirrored."""
    batch = retrieval_batch(size)
    ids = np.arange(size)
    batch |= targets_of(generation, size).fields(0, ids, ids, ids % 2 == 0)
    masked = batch["masked_patches"]
    shown = ~masked.reshape(size, 1, *GRID).repeat_interleave(16, 2).repeat_interleave(16, 3)
    return batch | {"masked_images": batch["images"] * shown}


def build_phase3(scale, seed=0):
    torch.manual_seed(seed)
    return build_model("phase3", scale, VOCABULARY)


def build_phase4(scale, generation, seed=0):
    return add_generator(build_phase3(scale, seed), scale, generation, CODES, PATCHES)
