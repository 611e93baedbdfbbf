"""What training asks of a system, and what it gives it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from ubg.data.batches.fields import BatchFields
from ubg.data.images.image_pack import ImagePack
from ubg.data.text.captions import TokenisedCaptions
from ubg.data.text.tokenizers import clip_tokenizer, load_tokenizer
from ubg.params import Network, Params, Tower
from ubg.retrieval.contract import RetrievalModel

TOKENIZER = Path("models/tokenizer")


def pretrained_weights(tower: Tower, family: str, part: str) -> dict[str, Any] | None:
    """None: a tower is to fetch the weights that it names."""
    return None


@dataclass(frozen=True)
class Inputs:
    """What a system takes from elsewhere, as far as it needs it. `plan` has stand-ins for it.

    Attributes:
        t5_tokenizer: reads the tokenizer that an earlier stage made.
        clip_tokenizer: that of CLIP, by the source of its text tower.
        tower_config: for a tower with a source, its family and part: the architecture to build it
            from at random, or None to fetch its weights.
        vq_tokens: the codes of the images in a pack; None: read what an earlier stage wrote.
    """

    t5_tokenizer: Callable[[], Any] = lambda: load_tokenizer(TOKENIZER)
    clip_tokenizer: Callable[[str | None], Any] = clip_tokenizer
    tower_config: Callable[[Tower, str, str], dict[str, Any] | None] = pretrained_weights
    vq_tokens: Callable[[ImagePack], Any] | None = None


@dataclass(frozen=True)
class Run:
    """A training run, before its system is built.

    Attributes:
        params: all of them.
        table: all annotations whose image is in the pack.
        pack: the images.
        inputs: the rest.
    """

    params: Params
    table: pd.DataFrame
    pack: ImagePack
    inputs: Inputs = Inputs()

    @cached_property
    def training_rows(self) -> pd.DataFrame:
        """The rows to train on, one per caption."""
        return self.table[self.table["split"] == "train"].reset_index(drop=True)

    def training_captions(self, tokenizer: Any, fields: tuple[str, str]) -> TokenisedCaptions:
        """The captions of `training_rows`; `fields` are the model's `caption_fields`."""
        max_tokens = self.params.preset.tokenizer.max_tokens
        return TokenisedCaptions(
            tokenizer, self.training_rows["caption"].tolist(), max_tokens, fields
        )


@dataclass(frozen=True)
class Task:
    """A system in training.

    Attributes:
        model: with random or pretrained weights.
        network: what it was built from, kept with the trained weights.
        tokenizer: of its captions, kept too.
        fields: what its batches hold beside images and identities.
        loss_weights: the weight of each loss, `{"sdm_loss": 1.0}`, at a time counted in epochs.
        validate: what is measured of the model after every epoch beside R@1.
        inputs: files and folders that decide the result beside params, annotations, images and
            code.
        write_parts: given the folder of the best weights, writes what the system trained beside
            its model.
    """

    model: RetrievalModel
    network: Network
    tokenizer: Any
    fields: Sequence[BatchFields]
    loss_weights: Callable[[float], dict[str, float]]
    validate: Callable[[], dict[str, float]] = dict
    inputs: Sequence[Path] = ()
    write_parts: Callable[[Path], None] = lambda best: None
