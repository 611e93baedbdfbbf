"""A system in training on random data, out of the params alone."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ubg.data.batches.augment import Augmenter
from ubg.data.batches.fields import Batch
from ubg.data.batches.loader import TrainingLoader
from ubg.data.batches.samplers import Sampler
from ubg.data.images.image_pack import ImagePack
from ubg.data.modalities.modalities import Modalities
from ubg.params import Params, Vqgan
from ubg.plan.architectures import Architectures
from ubg.plan.random_data import (
    RandomCodes,
    RandomPack,
    RandomTokenizer,
    random_clothing,
    random_modalities,
    random_table,
)
from ubg.systems import system_named
from ubg.training.task import Run, Task
from ubg.vqgan.model.taming import read_config

PUBLISHED_CODES, PUBLISHED_FACTOR = 16384, 16  # of the VQGAN that the base preset names
CODE_DIM = 8  # any: codes are only sorted into classes
CLIP_VOCABULARY, T5_VOCABULARY, BERT_VOCABULARY = (
    49408,
    32128,
    30522,
)  # tokens of the published tokenizers


@dataclass(frozen=True)
class RandomSystem:
    """A system as it starts to train, with random weights and random data.

    Attributes:
        name: of the system.
        run: what it is trained on.
        task: what training it takes.
        notes: what was assumed, a line each.
    """

    name: str
    run: Run
    task: Task
    notes: list[str]

    def batch(self, size: int) -> Batch:
        """So many samples, their captions padded as in a batch of the size to train with."""
        preset = self.run.params.preset
        loader = TrainingLoader(
            self.run.table,
            self.run.pack,
            _FirstRows(len(self.run.table), size),
            self.task.fields,
            Augmenter(preset.augmentation, self.task.model.normalisation, seed=0),
        )
        return next(loader.epoch(0))


def random_system(name: str, params: Params, identities: int) -> RandomSystem:
    """The system `name` for so many training identities; nothing is fetched.

    Raises:
        ValueError: there is no such system; or a pretrained model is not on this machine and its
            sizes are not known.
    """
    preset, architectures = params.preset, Architectures()
    image, notes = preset.image, architectures.notes
    pack = RandomPack(image.height, image.width)

    def t5_tokenizer(folder: Path) -> RandomTokenizer:
        config = architectures.tower_config(preset.towers.t5, "t5", "text")
        known = preset.tokenizer.vocab_size if config is None else config["vocab_size"]
        return RandomTokenizer(known or T5_VOCABULARY)

    def clip_tokenizer(source: str | None) -> RandomTokenizer:
        return RandomTokenizer(min(CLIP_VOCABULARY, preset.towers.clip_text.vocab_size))

    def bert_tokenizer(source: str) -> RandomTokenizer:
        config = architectures.tower_config(preset.towers.bert, "bert", "text")
        return RandomTokenizer(BERT_VOCABULARY if config is None else config["vocab_size"])

    def random_codes(pack: ImagePack) -> RandomCodes:
        codes, factor = _codes(preset.vqgan, notes)
        return RandomCodes(codes, (pack.height // factor, pack.width // factor))

    def modalities(folder: Path) -> Modalities:
        return random_modalities(identities, pack)

    def random_codebook(folder: Path) -> Tensor:
        return torch.randn(_codes(preset.vqgan, [])[0], CODE_DIM)

    table = random_table(preset.training.batch_size, identities, preset.tokenizer.max_tokens)
    run = Run(
        params,
        table,
        cast(ImagePack, pack),
        {
            "load_tokenizer": t5_tokenizer,
            "clip_tokenizer": clip_tokenizer,
            "bert_tokenizer": bert_tokenizer,
            "load_clothing": lambda folder: random_clothing(table),
            "require_several_outfits": lambda rows: None,
            "architecture": architectures.tower_config,
            "load_modalities": modalities,
            "open_tokens": random_codes,
            "read_codebook": random_codebook,
        },
    )
    torch.manual_seed(params.seed)
    return RandomSystem(name, run, system_named(name).task(run), notes)


class _FirstRows(Sampler):
    """One batch: the first rows of the table."""

    steps = 1

    def __init__(self, size: int, batch_size: int) -> None:
        self.size, self.batch_size = size, batch_size

    def epoch(self, epoch: int, start_step: int = 0) -> Iterator[NDArray[np.int64]]:
        yield np.arange(self.batch_size)


def _codes(vqgan: Vqgan, notes: list[str]) -> tuple[int, int]:
    """Size of the codebook, and side in pixels of what a code stands for."""
    if vqgan.fit is not None:
        return vqgan.fit.codes, vqgan.fit.patch * 2 ** (len(vqgan.fit.multipliers) - 1)
    assert vqgan.config is not None
    if Path(vqgan.config).exists():
        architecture = read_config(Path(vqgan.config))
        return architecture.codes, architecture.factor
    notes.append(
        f"{vqgan.config}: not there; {PUBLISHED_CODES:,} codes are assumed, each for a square of "
        f"{PUBLISHED_FACTOR} pixels"
    )
    return PUBLISHED_CODES, PUBLISHED_FACTOR
