"""Data sets."""

from typing import Annotated, Literal

from pydantic import Field

from ubg.params.section import Count, Section


class SynthPedes(Section):
    """How many pedestrians to draw. Identities differ between splits."""

    seed: Count
    train_identities: Annotated[int, Field(ge=2, le=20000)]
    val_identities: Annotated[int, Field(ge=2, le=20000)]
    test_identities: Annotated[int, Field(ge=2, le=20000)]
    images_per_identity: Annotated[int, Field(ge=1, le=16)]


class Dataset(Section):
    """One file of `configs/datasets/`: the format and the files below `data/raw/<dataset>`."""

    title: str
    format: Literal["cuhk_pedes"]
    annotations: str
    images: str
    synthetic: bool
    synthpedes: SynthPedes | None = None
