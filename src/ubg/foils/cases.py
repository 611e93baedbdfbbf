"""The cases as `data/foils` holds them, and as rows of what a model encodes."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, ValidationError

from ubg.params import Section
from ubg.runtime.faults import first_fault
from ubg.runtime.files import write_json
from ubg.runtime.opening import Kind, read_bytes

FOILS = Path("data/foils")
Number = Annotated[int, Field(ge=0, lt=2**31)]
BINDING = "binding"
TESTS = {
    True: "a picture and its caption against a drawn twin and its caption, in both directions",
    False: "captions alone, one picture to two of them: this tests less than drawn twins do",
}


@dataclass(frozen=True)
class Case:
    """A picture and its caption against a twin of both that differs in one fact.

    Attributes:
        kind: which fact; `BINDING` where two are exchanged.
        person: whose picture it is; the cases of one person are not independent.
        image, foil_image: numbers of the pictures. There is no second one where captions alone
            are changed.
        caption, foil_caption: the same wording of both.
        paraphrase: another wording of what `caption` says of the fact; None beside `foil_image`.
        fact, foil_fact: what differs, as the program names it.
    """

    kind: str
    person: Number
    image: Number
    foil_image: Number | None
    caption: str
    foil_caption: str
    paraphrase: str | None
    fact: str
    foil_fact: str


@dataclass(frozen=True)
class Rows:
    """C cases as rows of T different texts and G different images.

    Attributes:
        texts: T.
        image_ids: int64 [G], ascending.
        person_C: int64, whose picture it is.
        caption_C, foil_caption_C, image_C: int64, rows of the texts and of the images.
        paraphrase_C, foil_image_C: the same; None where captions alone are changed.
    """

    texts: list[str]
    image_ids: NDArray[np.int64]
    person_C: NDArray[np.int64]
    caption_C: NDArray[np.int64]
    foil_caption_C: NDArray[np.int64]
    paraphrase_C: NDArray[np.int64] | None
    image_C: NDArray[np.int64]
    foil_image_C: NDArray[np.int64] | None

    def pairs(self) -> NDArray[np.int64]:
        """Every pair of a text and an image that is compared: text * G + image."""
        texts = [self.caption_C, self.foil_caption_C, self.paraphrase_C]
        images = [self.image_C, self.foil_image_C]
        return np.concatenate(
            [
                text_C * len(self.image_ids) + image_C
                for text_C in texts
                if text_C is not None
                for image_C in images
                if image_C is not None
            ]
        )

    def only(self, cases: NDArray[np.int64]) -> "Rows":
        """These cases of the C, as rows of the same texts and images."""

        def some(rows_C: NDArray[np.int64] | None) -> NDArray[np.int64] | None:
            return None if rows_C is None else rows_C[cases]

        return replace(
            self,
            person_C=self.person_C[cases],
            caption_C=self.caption_C[cases],
            foil_caption_C=self.foil_caption_C[cases],
            paraphrase_C=some(self.paraphrase_C),
            image_C=self.image_C[cases],
            foil_image_C=some(self.foil_image_C),
        )


class CaseFile(Section):
    """`cases.json`: what the cases test, how many there are of each kind, and all of them."""

    drawn: bool
    tests: str
    kinds: dict[str, Number]
    cases: tuple[Case, ...]


def write_cases(folder: Path, cases: Sequence[Case], drawn: bool) -> None:
    """Write `cases.json`, see `CaseFile`."""
    kinds = sorted({case.kind for case in cases})
    counts = {kind: sum(case.kind == kind for case in cases) for kind in kinds}
    file = CaseFile(drawn=drawn, tests=TESTS[drawn], kinds=counts, cases=tuple(cases))
    write_json(folder / "cases.json", file.model_dump())


def read_cases(folder: Path) -> tuple[list[Case], bool]:
    """The cases in `folder`, and whether there are drawn twins.

    Raises:
        ValueError: there are none that can be read.
    """
    path, advice = folder / "cases.json", "make it with `dvc repro make_foils`"
    try:
        content = CaseFile.model_validate_json(read_bytes(path, Kind.TABLE), strict=True)
    except ValidationError as error:
        raise ValueError(f"{path}: {first_fault(error)}; {advice}") from None
    except (OSError, ValueError) as error:
        raise ValueError(f"{path}: cannot be read ({error}); {advice}") from None
    return list(content.cases), content.drawn


def image_path(folder: Path, image: int) -> Path:
    """Where the picture of a number lies."""
    return folder / "images" / f"{image:05d}.jpg"


def as_rows(cases: Sequence[Case], drawn: bool) -> Rows:
    """The cases by rows; every text and every image is there once."""
    captions = [case.caption for case in cases]
    foils = [case.foil_caption for case in cases]
    paraphrases = [case.paraphrase or "" for case in cases] if drawn else []
    texts = list(dict.fromkeys([*captions, *foils, *paraphrases]))
    row_of = {text: row for row, text in enumerate(texts)}

    images = [case.image for case in cases]
    foil_images = [case.foil_image or 0 for case in cases] if drawn else []
    image_ids, image_rows = np.unique(
        np.array([*images, *foil_images], np.int64), return_inverse=True
    )

    def rows(chosen: list[str]) -> NDArray[np.int64]:
        return np.array([row_of[text] for text in chosen], np.int64)

    return Rows(
        texts=texts,
        image_ids=image_ids,
        person_C=np.array([case.person for case in cases], np.int64),
        caption_C=rows(captions),
        foil_caption_C=rows(foils),
        paraphrase_C=rows(paraphrases) if drawn else None,
        image_C=image_rows[: len(cases)],
        foil_image_C=image_rows[len(cases) :] if drawn else None,
    )
