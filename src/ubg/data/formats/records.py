"""What a reader of a format hands over."""

from dataclasses import dataclass

SPLITS = ("train", "val", "test")


@dataclass(frozen=True)
class Record:
    """One image with its captions, as the file has them.

    Attributes:
        where: file and record, for messages.
        split: one of `SPLITS`.
        raw_id: the identity's number in the file.
        image_path: relative to the folder of images.
        captions: at least one.
    """

    where: str
    split: str
    raw_id: int
    image_path: str
    captions: list[str]
