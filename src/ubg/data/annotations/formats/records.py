"""What a reader of a format hands over."""

from dataclasses import dataclass, field

SPLITS = ("train", "val", "test")


@dataclass(frozen=True)
class Record:
    """One image with its captions, as the file has them; outside training either may be missing.

    Attributes:
        where: file and record, for messages.
        split: one of `SPLITS`.
        raw_id: the identity in the file.
        image_path: relative to the folder of images; None for captions of no image in particular.
        captions: none for an image that is only searched among.
        modality: of the image, where a data set has several.
        identity_caption, clothing_caption: of the image, where a data set has them.
    """

    where: str
    split: str
    raw_id: int | str
    image_path: str | None
    captions: list[str]
    modality: str | None = None
    identity_caption: str | None = None
    clothing_caption: str | None = None


@dataclass(frozen=True)
class Query:
    """A query of one or several modalities; "" for those that it has not.

    Attributes:
        where: file and record, for messages.
        kind: the modalities, as the file names them, such as "TEXT+NIR".
        raw_id: the identity that is searched for.
        text: a caption.
        nir, cp, sk: paths of an infrared image, a colour pencil drawing and a sketch.
    """

    where: str
    kind: str
    raw_id: int
    text: str = ""
    nir: str = ""
    cp: str = ""
    sk: str = ""


@dataclass(frozen=True)
class Parsed:
    """All that a reader found.

    Attributes:
        layout: names of the files that were read.
        records: in the order of the files.
        queries: in addition to the captions of `records`, which are queries too.
        notes: what was left out or decided by the reader, one line each.
    """

    layout: str
    records: list[Record]
    queries: list[Query] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
