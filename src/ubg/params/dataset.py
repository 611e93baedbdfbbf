"""Data sets."""

from typing import Annotated, Literal

from pydantic import Field

from ubg.params.section import Count, Positive, Section


class SynthPedes(Section):
    """How many pedestrians to draw. Identities differ between splits."""

    seed: Count
    train_identities: Annotated[int, Field(ge=2, le=20000)]
    val_identities: Annotated[int, Field(ge=2, le=20000)]
    test_identities: Annotated[int, Field(ge=2, le=20000)]
    images_per_identity: Annotated[int, Field(ge=1, le=16)]


class Foils(Section):
    """How many test cases that differ in one fact are made, and by which seed.

    Attributes:
        seed: of the persons and of what is changed.
        persons: how many are drawn; of a data set that is not drawn, how many are taken from its
            test split, at most.
        cases_per_kind: at most.
    """

    seed: Count
    persons: Annotated[int, Field(ge=2, le=20000)]
    cases_per_kind: Annotated[int, Field(ge=1, le=20000)]


class SplitCounts(Section):
    """How much a split holds. An image that is listed twice counts once."""

    images: Count
    identities: Count
    captions: Count


class CarveVal(Section):
    """Identities of the training split to be taken for validation, drawn by `seed`."""

    identities: Positive
    seed: Count


class Dataset(Section):
    """One file of `configs/datasets/`.

    Attributes:
        title: the name that reports print.
        format: the reader; see `ubg.data.annotations.formats`.
        synthetic: whether the images are drawn.
        source: the collection that the images come from; two data sets of one source overlap.
        counts: the published counts, by version of the data set, then by split. None are checked if
            it is empty.
        accept_other_counts: read files that fit no version, and report it.
        carve_val: for a data set that has no validation split.
        synthpedes: what to draw.
        foils: pictures and captions that differ in one fact, for evaluation.
    """

    title: str
    format: Literal[
        "cuhk_pedes", "icfg_pedes", "rstpreid", "orbench", "identity_clothing", "custom"
    ]
    synthetic: bool
    source: str | None
    counts: dict[str, dict[Literal["train", "val", "test"], SplitCounts]]
    accept_other_counts: bool
    carve_val: CarveVal | None
    synthpedes: SynthPedes | None
    foils: Foils

    @property
    def label(self) -> str:
        """The name as every figure and table shows it: synthetic data sets say so."""
        if self.synthetic and "synthetic" not in self.title.lower():
            return f"{self.title} (synthetic)"
        return self.title
