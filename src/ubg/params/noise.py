"""Captions that do not belong to their image."""

from typing import Annotated

from pydantic import Field, model_validator

from ubg.params.section import Count, Fraction, Section


class Noise(Section):
    """Which share of the training captions is swapped between identities.

    Attributes:
        rate: the share.
        seed: draws which, unless there is an `index`.
        index: name of a file in `annotations/` of the data set, where DVC follows its content, as
            papers on noisy correspondence publish them: whose caption each training caption
            becomes. The share that it moves must be `rate`.
    """

    rate: Fraction
    seed: Count
    index: Annotated[str, Field(pattern=r"^[\w.-]+\.npy$")] | None

    @model_validator(mode="after")
    def _index_has_a_rate(self) -> "Noise":
        if self.index is not None and self.rate == 0:
            raise ValueError("index needs the rate of its file, such as rate: 0.2")
        return self
