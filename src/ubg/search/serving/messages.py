"""What the API takes and gives, as OpenAPI tells it."""

import base64
import binascii
from typing import Annotated, Literal

from PIL import Image
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from ubg.search.database import MAX_ID
from ubg.search.filters import Filter
from ubg.search.gallery import Entry
from ubg.search.query import MAX_TEXT_LENGTH, Query
from ubg.search.searcher import MAX_DEPTH, Result, Results
from ubg.search.serving.pictures import UPLOAD_BYTES

MAX_IMAGES = 4
MAX_CHOICES = 32
MAX_STARS = 4  # a pattern of many takes forever to fail
MAX_TOP = 200
MAX_BASE64 = UPLOAD_BYTES * 4 // 3 + 4 * MAX_IMAGES  # of all pictures of a query together
MAX_BODY = 16 * 2**20  # what is left is for the rest of a query

PHOTOGRAPH = "image"
Kind = Literal["image", "sk", "nir", "cp"]


def _is_unicode(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError("has half a character; send whole ones") from None
    return text


def _is_quick(pattern: str) -> str:
    if pattern.count("*") > MAX_STARS:
        raise ValueError(f"has more than {MAX_STARS} stars; leave some out")
    return pattern


def _are_light(pictures: list["Picture"]) -> list["Picture"]:
    if sum(len(picture.data) for picture in pictures) > MAX_BASE64:
        raise ValueError(f"are larger than {UPLOAD_BYTES:,} bytes together; give smaller ones")
    return pictures


Id = Annotated[int, Field(ge=0, le=MAX_ID)]
Text = Annotated[str, AfterValidator(_is_unicode)]
Name = Annotated[Text, Field(max_length=500)]
Pattern = Annotated[Text, Field(max_length=200), AfterValidator(_is_quick)]
Time = Annotated[str, Field(max_length=32, examples=["2024-05-01T12:30:00"])]


class Message(BaseModel):
    """Unknown keys are refused, and so is text that is no Unicode."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)


class Picture(Message):
    """An image file of the query, in base64: a photograph, or a drawing that the model reads."""

    data: Annotated[str, Field(max_length=MAX_BASE64)]
    kind: Kind = "image"

    def content(self) -> bytes:
        """The bytes of the file.

        Raises:
            ValueError: `data` is no base64.
        """
        try:
            return base64.b64decode(self.data, validate=True)
        except (binascii.Error, ValueError):
            raise ValueError("images: data is no base64; encode the bytes of a file") from None


class Chosen(Message):
    """Which images are searched: those that meet every condition that is given."""

    cameras: Annotated[list[Name], Field(max_length=MAX_CHOICES)] = []
    tags: Annotated[list[Name], Field(max_length=MAX_CHOICES)] = []
    folders: Annotated[list[Name], Field(max_length=MAX_CHOICES)] = []
    path: Annotated[Pattern | None, Field(description="a pattern such as cam1/*")] = None
    captured_from: Time | None = None
    captured_to: Time | None = None
    min_height: Annotated[int, Field(ge=1, le=100_000)] | None = None

    def filter(self) -> Filter:
        """The same for the search; raises ValueError as that does."""
        return Filter(
            cameras=tuple(self.cameras),
            tags=tuple(self.tags),
            folders=tuple(self.folders),
            path=self.path,
            captured_from=self.captured_from,
            captured_to=self.captured_to,
            min_height=self.min_height,
        )


class Question(Message):
    """A query: text, images, images of the gallery, or several of these together."""

    text: Annotated[
        Text,
        Field(
            max_length=MAX_TEXT_LENGTH,
            description="` + ` and ` - ` between blanks add another text, or take it away",
            examples=["a woman in a red coat - a backpack"],
        ),
    ] = ""
    images: Annotated[list[Picture], Field(max_length=MAX_IMAGES), AfterValidator(_are_light)] = []
    like: Annotated[list[Id], Field(max_length=MAX_IMAGES)] = []
    filter: Chosen = Chosen()
    top: Annotated[int, Field(ge=1, le=MAX_TOP)] = 24
    offset: Annotated[int, Field(ge=0, lt=MAX_DEPTH)] = 0

    def query(self, pictures: list[Image.Image]) -> Query:
        """The same for the search, with `images` decoded; raises ValueError as that does."""
        kinds = [image.kind for image in self.images]
        drawn = [pair for pair in zip(kinds, pictures, strict=True) if pair[0] != PHOTOGRAPH]
        return Query(
            texts=Query.parse(self.text).texts if self.text.strip() else (),
            images=[
                picture for kind, picture in zip(kinds, pictures, strict=True) if kind == PHOTOGRAPH
            ],
            like=self.like,
            drawings=drawn,
        )


class Token(Message):
    """What the server printed when it started."""

    token: Annotated[Text, Field(max_length=500)]


class Found(BaseModel):
    """An image of the gallery.

    Attributes:
        path: below its folder.
        duplicates: paths of other images of the same bytes.
        thumbnail: where a small JPEG of it is.
        picture: where a large one is.
    """

    id: int
    path: str
    folder: str
    width: int
    height: int
    captured_at: str | None
    tags: list[str]
    camera: str | None
    duplicates: list[str]
    thumbnail: str
    picture: str

    @classmethod
    def of(cls, entry: Entry) -> "Found":
        """The image of an entry; the addresses of its pictures change when the file does."""
        address = f"/api/images/{entry.id}"
        version = f"?v={version_of(entry)}"
        return cls(
            id=entry.id,
            path=entry.path,
            folder=entry.folder,
            width=entry.width,
            height=entry.height,
            captured_at=entry.captured_at,
            tags=list(entry.tags),
            camera=entry.camera,
            duplicates=list(entry.duplicates),
            thumbnail=f"{address}/thumbnail{version}",
            picture=f"{address}/picture{version}",
        )


def version_of(entry: Entry) -> str:
    """What changes with the content of an image, and from gallery to gallery."""
    return entry.hash[:16]


class Match(BaseModel):
    """An image that was found.

    Attributes:
        rank: from 1, over all pages.
        share_without_person: of validation queries whose person was not in the gallery, the share
            with a best score as high; null where this was not measured.
    """

    rank: int
    score: float
    share_without_person: float | None
    image: Found

    @classmethod
    def of(cls, result: Result) -> "Match":
        """The same from the search."""
        return cls(
            rank=result.rank,
            score=result.score,
            share_without_person=result.share_without_person,
            image=Found.of(result.entry),
        )


class Answer(BaseModel):
    """One page of what was found.

    Attributes:
        total: images that pass the filter.
        nobody_fits: whether the best score is no better than that of a stranger; null where this
            was not measured, or nothing passes the filter.
        seconds: what the search took, waiting included.
    """

    total: int
    nobody_fits: bool | None
    seconds: float
    matches: list[Match]

    @classmethod
    def of(cls, results: Results, seconds: float) -> "Answer":
        """The same from the search."""
        return cls(
            total=results.total,
            nobody_fits=results.nobody_fits,
            seconds=round(seconds, 4),
            matches=[Match.of(result) for result in results.results],
        )


class Limits(BaseModel):
    """What the server takes at most.

    Attributes:
        text: characters.
        images: pictures of a query.
        image_bytes: of these pictures together.
        top: results of a page.
        ranks: that can be paged to.
    """

    text: int = MAX_TEXT_LENGTH
    images: int = MAX_IMAGES
    image_bytes: int = UPLOAD_BYTES
    top: int = MAX_TOP
    ranks: int = MAX_DEPTH


class Fault(BaseModel):
    """A file that could not be indexed."""

    path: str
    reason: str


class Summary(BaseModel):
    """What a gallery holds.

    Attributes:
        name: of its folder.
        model: that it was indexed with.
        count: images that can be found.
        kinds: of images that a query may have: "image", and what the model takes beside it.
        faults: how many files could not be indexed.
    """

    name: str
    model: str
    count: int
    both_scores: bool
    kinds: list[str]
    cameras: list[str]
    tags: list[str]
    folders: list[str]
    faults: int
    limits: Limits = Limits()
