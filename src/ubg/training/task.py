"""The interface between training and a system."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import pandas as pd

from ubg.data.batches.fields import BatchFields
from ubg.data.images.image_pack import ImagePack
from ubg.data.text.captions import TokenisedCaptions
from ubg.data.text.tokenizers import refuse_unknown
from ubg.params import Network, Optimiser, Params, Scale, Section, Tower, Training
from ubg.retrieval.contract import RetrievalModel, TowerConfigs
from ubg.retrieval.encode import Features, Split

P = ParamSpec("P")
T = TypeVar("T")


def architecture(tower: Tower, family: str, part: str) -> dict[str, Any] | None:
    """What to build a tower from at random; None where the weights that it names are fetched."""
    return None


@dataclass(frozen=True)
class Run:
    """A training run, before its system is built.

    Attributes:
        params: all of them.
        table: the annotations whose image is in the pack, in training those with labels alone.
        pack: the images.
        stand_ins: functions that a plan has called in place of those that read what other stages
            made, by the name of the reader.
    """

    params: Params
    table: pd.DataFrame
    pack: ImagePack
    stand_ins: Mapping[str, Callable[..., Any]] = field(default_factory=dict)

    @cached_property
    def training_rows(self) -> pd.DataFrame:
        """The rows to train on, one per caption."""
        return self.table[self.table["split"] == "train"].reset_index(drop=True)

    def training_captions(self, tokenizer: Any, fields: tuple[str, str]) -> TokenisedCaptions:
        """The captions of `training_rows`; `fields` are the model's `caption_fields`.

        Raises:
            ValueError: the tokenizer does not know them.
        """
        params = self.params.preset.tokenizer
        captions = TokenisedCaptions(
            tokenizer, self.training_rows["caption"].tolist(), params.max_tokens, fields
        )
        refuse_unknown(captions.share_of(tokenizer.unk_token_id), params.max_unknown)
        return captions

    def read(self, reader: Callable[P, T], *arguments: P.args, **options: P.kwargs) -> T:
        """What `reader` gives for these arguments, or its stand-in."""
        return self.stand_ins.get(reader.__name__, reader)(*arguments, **options)

    def architectures(self, **towers: tuple[Tower, str, str]) -> TowerConfigs:
        """Of those of the towers, each with its family and part, whose weights are not fetched."""
        found = {name: self.read(architecture, *tower) for name, tower in towers.items()}
        return {name: config for name, config in found.items() if config is not None}


def network_values(preset: Scale) -> dict[str, Any]:
    """The values in a preset of what all networks have in common."""
    return {
        "image": preset.image,
        "max_tokens": preset.tokenizer.max_tokens,
        "attention": preset.towers.attention,
        "embedding_dim": preset.embedding_dim,
    }


def loss_weights(losses: Section) -> dict[str, float]:
    """The weight of each loss that is on, by the name that models return it under."""
    return {f"{name}_loss": weight for name, weight in losses if weight is not None}


@dataclass(frozen=True)
class Task:
    """A system in training.

    Attributes:
        model: with random or pretrained weights.
        network: what it was built from, kept with the trained weights.
        tokenizer: of its captions, kept too.
        fields: what its batches hold beside images and identities.
        optimiser: how it is trained.
        loss_weights: the weight of each loss, `{"sdm_loss": 1.0}`, at a time counted in epochs.
        validate: what is measured of the model after every epoch beside R@1, given the validation
            split and its features.
        inputs: files and folders that decide the result beside params, annotations, images and
            code.
        selected_by: which of the metrics of an epoch, all in percent, selects the weights to keep:
            "r1", or one that `validate` gives.
        reported: what the curves show beside losses and metrics of an epoch, counted from 0.
        training: in place of the preset's, where the system differs from the others.
        write_parts: given the folder of the best weights, writes what the system trained beside
            its model.
    """

    model: RetrievalModel
    network: Network
    tokenizer: Any
    fields: Sequence[BatchFields]
    optimiser: Optimiser
    loss_weights: Callable[[float], dict[str, float]]
    validate: Callable[[Split, Features], dict[str, float]] = lambda split, features: {}
    inputs: Sequence[Path] = ()
    selected_by: str = "r1"
    reported: Callable[[int], dict[str, float]] = lambda epoch: {}
    training: Training | None = None
    write_parts: Callable[[Path], None] = lambda best: None
