"""What is asked: texts with weights, images, images of the gallery, in any combination."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

MAX_TEXT_LENGTH = 2000  # characters
MAX_PARTS = 16
MAX_WEIGHT = 100.0
_SHOWN = {
    "image": "photograph",
    "sk": "sketch",
    "nir": "infrared image",
    "cp": "colour pencil drawing",
}
_SIGN = re.compile(r"\s([+-])\s")
_WEIGHT = re.compile(r"\s*(\d+(?:\.\d+)?)\s*\*")


@dataclass(frozen=True)
class Query:
    """Parts whose unit vectors are added up by their weights; images have weight 1.

    Attributes:
        texts: each with its weight; a negative one leads away from what the text says.
        images: of any size.
        like: ids of images of the gallery.
        drawings: what is no photograph, each with its kind, such as "sk" for a sketch; the model
            reads them together with the text as one part.

    Raises:
        ValueError: there is no part or there are too many, a text is empty or too long, a weight is
            0 or out of range, or drawings are two of a kind or go with more than a text.
    """

    texts: Sequence[tuple[str, float]] = ()
    images: Sequence[Image.Image] = ()
    like: Sequence[int] = ()
    drawings: Sequence[tuple[str, Image.Image]] = ()

    def __post_init__(self) -> None:
        parts = len(self.texts) + len(self.images) + len(self.like) + len(self.drawings)
        if parts == 0:
            raise ValueError("the query is empty; give a text or an image")
        if parts > MAX_PARTS:
            raise ValueError(f"the query has {parts} parts; give {MAX_PARTS} at most")
        for text, weight in self.texts:
            if not text.strip():
                raise ValueError("a text of the query is empty; write what is looked for")
            if len(text) > MAX_TEXT_LENGTH:
                raise ValueError(
                    f"a text of the query has {len(text):,} characters; give {MAX_TEXT_LENGTH:,} "
                    "at most"
                )
            if not math.isfinite(weight) or weight == 0 or abs(weight) > MAX_WEIGHT:
                raise ValueError(
                    f"weight {weight:g} of a text: give one within -{MAX_WEIGHT:g} to "
                    f"{MAX_WEIGHT:g} that is not 0"
                )
        if self.drawings:
            self._check_drawings()

    def _check_drawings(self) -> None:
        kinds = [kind for kind, _ in self.drawings]
        if len(set(kinds)) < len(kinds):
            raise ValueError("the query has two drawings of a kind; give one of each")
        if len(self.texts) > 1 or any(weight != 1 for _, weight in self.texts):
            raise ValueError("drawings go with one text without a weight; leave the others out")

    @classmethod
    def parse(cls, sentence: str) -> "Query":
        """One text, or several: ` + ` and ` - ` between blanks begin another, which `-` subtracts.

        A text may begin with a weight, as in "a red coat - 0.5 * a hat".

        Raises:
            ValueError: as for the query itself.
        """
        first, *rest = _SIGN.split(sentence[: MAX_TEXT_LENGTH * MAX_PARTS])
        signed = [("+", first), *zip(rest[::2], rest[1::2], strict=True)]
        return cls(texts=tuple(_weighted(sign, text) for sign, text in signed))

    @property
    def is_one_text(self) -> bool:
        """Whether its scores are those of a sentence alone."""
        only = len(self.texts) == 1 and not (self.images or self.like or self.drawings)
        return only and self.texts[0][1] > 0


@dataclass(frozen=True)
class Encoded:
    """Q queries as they are searched.

    Attributes:
        vectors_QD: unit vectors, float32.
        evidence_QLV: what the texts say of the code at each place; None by embeddings alone.
        one_text_Q: whether a query is one text, whose scores can be calibrated.
    """

    vectors_QD: NDArray[np.float32]
    evidence_QLV: NDArray[np.float32] | None
    one_text_Q: tuple[bool, ...]

    def __len__(self) -> int:
        return len(self.vectors_QD)

    def __getitem__(self, query: int) -> "Encoded":
        """One of the queries alone."""
        rows = slice(query, query + 1)
        evidence_1LV = None if self.evidence_QLV is None else self.evidence_QLV[rows]
        return Encoded(self.vectors_QD[rows], evidence_1LV, self.one_text_Q[rows])


def shown_kind(kind: str) -> str:
    """What people call a part of a query."""
    return _SHOWN.get(kind, kind)


def _weighted(sign: str, text: str) -> tuple[str, float]:
    match = _WEIGHT.match(text)
    weight = float(match.group(1)) if match else 1.0
    text = text[match.end() :] if match else text
    return text.strip(), weight if sign == "+" else -weight
