"""Data sets."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from ubg.params.section import Count, Positive, Section


class DrawnModalities(Section):
    """Infrared, colour pencil and sketch pictures to draw of every person.

    Attributes:
        least_images, most_images: of each modality.
        missing: share of the persons who lack one of them.
        test_queries_per_kind: in the test file, at most.
    """

    least_images: Annotated[int, Field(ge=1, le=16)]
    most_images: Annotated[int, Field(ge=1, le=16)]
    missing: Annotated[float, Field(ge=0, le=1)]
    test_queries_per_kind: Annotated[int, Field(ge=1, le=20000)]

    @model_validator(mode="after")
    def _check_images(self) -> Self:
        if self.least_images > self.most_images:
            raise ValueError("least_images is above most_images; give two ascending numbers")
        return self


class Outfits(Section):
    """Persons in two or three outfits; an identity is then a person in one of them.

    Attributes:
        shared: share of the persons who wear an outfit of somebody else too.
    """

    shared: Annotated[float, Field(ge=0, le=1)]


class SynthPedes(Section):
    """How many pedestrians to draw. Identities differ between splits.

    Attributes:
        outfits: null where every person has one outfit, and some have near twins.
    """

    seed: Count
    train_identities: Annotated[int, Field(ge=2, le=20000)]
    val_identities: Annotated[int, Field(ge=2, le=20000)]
    test_identities: Annotated[int, Field(ge=2, le=20000)]
    images_per_identity: Annotated[int, Field(ge=1, le=16)]
    modalities: DrawnModalities
    outfits: Outfits | None


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


class ModalityQueries(Section):
    """How validation queries of one part to four are drawn, of each kind so many at most."""

    seed: Count
    val_queries_per_kind: Annotated[int, Field(ge=1, le=20000)]


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
        modalities: of a data set that has infrared images, colour pencil drawings and sketches.
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
    modalities: ModalityQueries | None
    synthpedes: SynthPedes | None
    foils: Foils

    @property
    def label(self) -> str:
        """The name as every figure and table shows it: synthetic data sets say so."""
        if self.synthetic and "synthetic" not in self.title.lower():
            return f"{self.title} (synthetic)"
        return self.title
