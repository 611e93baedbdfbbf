"""What is odd in the texts, images and identities of the annotation table."""

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ubg.data.annotations.formats.records import SPLITS
from ubg.data.prepared import NO_IMAGE
from ubg.data.text.normalise import normalise_caption

if TYPE_CHECKING:
    import pandas as pd

CHARACTERS_SHOWN = 20
EXCERPT = 60
PATTERNS = {
    "with white space at an edge": re.compile(r"\A\s|\s\Z"),
    "with line breaks": re.compile(r"[\r\n]"),
    "with control characters": re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]"),
    "with invisible characters": re.compile("[\xad\u200b-\u200f\u2028-\u202e\u2060-\u2064\ufeff]"),
    "with lone surrogates": re.compile("[\ud800-\udfff]"),
    "with characters beyond ASCII": re.compile(r"[^\x00-\x7f]"),
    "with characters of code or mark-up": re.compile(r"[<>{}\\_|=]|https?:"),
}


@dataclass(frozen=True)
class Oddity:
    """Something that a person should know of, counted.

    Attributes:
        name: what is counted.
        counts: by split.
        example: the first one, printable; empty if there is none.
    """

    name: str
    counts: dict[str, int]
    example: str

    @property
    def total(self) -> int:
        return sum(self.counts.values())


def caption_oddities(
    queries: "pd.DataFrame", tokens: NDArray[np.int64], max_tokens: int
) -> list[Oddity]:
    """Oddities of the captions, each counted in captions.

    Captions count as equal if they are so after `normalise_caption` and in lower case, which is how
    the tokenizers read them.

    Args:
        queries: the Q rows of the table that have a caption.
        tokens: [Q], length in tokens.
        max_tokens: longer captions are cut.
    """
    captions = queries["caption"].tolist()
    found = []
    for name, pattern in PATTERNS.items():
        starts = np.array([_start(pattern, caption) for caption in captions], np.int64)
        found.append(_oddity(f"captions {name}", queries, starts >= 0, starts))
    found.append(_oddity(f"captions cut at {max_tokens} tokens", queries, tokens > max_tokens))

    equal = queries.assign(text=[normalise_caption(caption).lower() for caption in captions])
    by_text = equal.groupby("text", sort=False)
    written = by_text["text"].transform("size").to_numpy()
    identities = by_text["pid"].transform("nunique").to_numpy()
    splits = by_text["split"].transform("nunique").to_numpy()
    return [
        *found,
        _oddity("captions written more than once", queries, written > 1),
        _oddity("captions shared by several identities", queries, identities > 1),
        _oddity("captions shared by several splits", queries, splits > 1),
    ]


def image_oddities(table: "pd.DataFrame", repeated: Sequence[int]) -> list[Oddity]:
    """Oddities of images and identities, each counted in images or identities.

    Args:
        table: of all splits.
        repeated: `image_id` of the images that the files list more than once.
    """
    pictured = table[table["image_id"] != NO_IMAGE]
    images = pictured.drop_duplicates("image_id")
    described = set(pictured.loc[pictured["caption"] != "", "image_id"])
    people = table.drop_duplicates("pid")
    images_of = images["pid"].map(images["pid"].value_counts())
    undescribed = ~people["pid"].isin(table.loc[table["caption"] != "", "pid"])
    nowhere = ~people["pid"].isin(images["pid"])

    def image(row: Any) -> str:
        return repr(row.image_path)

    def identity(row: Any) -> str:
        return f"identity {row.raw_id!r}"

    return [
        _count("images listed more than once", images, images["image_id"].isin(repeated), image),
        _count("images without a caption", images, ~images["image_id"].isin(described), image),
        _count("identities with one image", images, images_of == 1, identity),
        _count("identities without an image", people, nowhere, identity),
        _count("identities without a caption", people, undescribed, identity),
    ]


def odd_characters(captions: Sequence[str]) -> dict[str, int]:
    """How many captions hold each character that is not printable ASCII, most frequent first.

    The keys are such as `U+00A0 NO-BREAK SPACE`.
    """
    counts: Counter[str] = Counter()
    for caption in captions:
        if not (caption.isascii() and caption.isprintable()):
            counts.update({char for char in caption if not " " <= char <= "~"})
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return {f"U+{ord(char):04X} {_name(char)}".rstrip(): number for char, number in ranked}


def excerpt(text: str, start: int = 0) -> str:
    """Printable part of the text around `start`, in quotes; `…` where there is more."""
    first = max(0, min(start - EXCERPT // 3, len(text) - EXCERPT))
    shown = repr(text[first : first + EXCERPT])
    return ("…" if first else "") + shown + ("…" if first + EXCERPT < len(text) else "")


def _oddity(
    name: str,
    queries: "pd.DataFrame",
    odd: NDArray[np.bool_],
    starts: NDArray[np.int64] | None = None,
) -> Oddity:
    """Captions for which `odd` holds, [Q]; what is odd in each begins at `starts`, [Q]."""

    def show(row: Any) -> str:
        start = 0 if starts is None else int(starts[np.flatnonzero(odd)[0]])
        return f"caption {row.caption_id}: {excerpt(row.caption, start)}"

    return _count(name, queries, odd, show)


def _count(name: str, rows: "pd.DataFrame", odd: Any, show: Callable[[Any], str]) -> Oddity:
    found = rows[odd]
    counts = found["split"].value_counts()
    example = show(next(found.itertuples())) if len(found) else ""
    return Oddity(name, {split: int(counts.get(split, 0)) for split in SPLITS}, example)


def _start(pattern: re.Pattern[str], text: str) -> int:
    match = pattern.search(text)
    return match.start() if match else -1


def _name(character: str) -> str:
    names = {"\t": "TABULATION", "\n": "LINE FEED", "\r": "CARRIAGE RETURN"}
    kinds = {"Cc": "CONTROL CHARACTER", "Cs": "SURROGATE", "Co": "PRIVATE USE", "Cn": "UNASSIGNED"}
    known = names.get(character) or unicodedata.name(character, "")
    return known or kinds.get(unicodedata.category(character), "")
