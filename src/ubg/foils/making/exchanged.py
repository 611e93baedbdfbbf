"""Foils of a data set that is not drawn: its test captions with colours exchanged."""

import re
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ubg.data.prepared import NO_IMAGE
from ubg.foils.cases import BINDING, Case, write_cases
from ubg.params import Foils
from ubg.runtime.files import replace_folder

if TYPE_CHECKING:
    import pandas as pd

COLOUR = "colour"
COLOURS = (
    "black", "white", "gray", "grey", "red", "blue", "green", "yellow", "orange", "purple", "pink",
    "brown", "beige", "tan",
)  # fmt: skip
# Between two colours of one thing: a black and white shirt.
BETWEEN_COLOURS_OF_ONE = {"and", "or", "with", "a", "an"}
SAME = {"grey": "gray", "tan": "beige"}  # two words for one colour
# An article, and a colour as a word of its own.
MENTION = re.compile(
    rf"(?:\b(?P<article>an?) )?(?<![-\w])(?P<colour>{'|'.join(COLOURS)})(?![-\w])(?! hair)",
    re.IGNORECASE,
)


def make_exchanged_foils(params: Foils, table: "pd.DataFrame", output: Path) -> Counter[str]:
    """Write cases to `output`, which appears complete or not at all: `cases.json`, no pictures.

    A caption of the test split has one colour exchanged for another that is drawn from all that
    the test captions mention, so that the foil's colours are about as frequent as the true ones.
    Where two things have different colours, these are exchanged with each other: `BINDING`.

    Args:
        params: how many persons of the test split, and how many cases of each kind, at most.
        table: the prepared annotations.
        output: the folder.

    Returns:
        How many cases there are of each kind.
    """
    rng = np.random.default_rng(params.seed)
    rows = table[(table["split"] == "test") & (table["image_id"] != NO_IMAGE)]
    persons = rng.permutation(rows["pid"].unique())[: params.persons]
    rows = rows[rows["pid"].isin(persons)].sample(frac=1, random_state=rng)
    mentioned = Counter(
        found["colour"].lower()
        for caption in rows["caption"]
        for found in MENTION.finditer(caption)
    )
    cases: list[Case] = []
    counts: Counter[str] = Counter()
    for caption, pid, image in zip(rows["caption"], rows["pid"], rows["image_id"], strict=True):
        for kind in (COLOUR, BINDING):
            if counts[kind] == params.cases_per_kind:
                continue
            one = kind == COLOUR
            foil = exchange_one(caption, mentioned, rng) if one else exchange_two(caption, rng)
            if foil is not None:
                counts[kind] += 1
                text, fact, foil_fact = foil
                cases.append(
                    Case(kind, int(pid), int(image), None, caption, text, None, fact, foil_fact)
                )
    with replace_folder(output) as folder:
        write_cases(folder, cases, drawn=False)
    return counts


def exchange_one(
    caption: str, mentioned: Counter[str], rng: np.random.Generator
) -> tuple[str, str, str] | None:
    """The caption with one colour exchanged, the colour that it had and the one that it has.

    None where it mentions no colour, or `mentioned` has no other.
    """
    found = list(MENTION.finditer(caption))
    if not found:
        return None
    chosen = found[rng.integers(len(found))]
    own = chosen["colour"].lower()
    others = {colour: count for colour, count in mentioned.items() if not _same(colour, own)}
    if not others:
        return None
    chances = np.array(list(others.values())) / sum(others.values())
    other = str(rng.choice(list(others), p=chances))
    return _replaced(caption, [(chosen, other)]), own, other


def exchange_two(caption: str, rng: np.random.Generator) -> tuple[str, str, str] | None:
    """The caption with the different colours of two things that follow each other exchanged.

    None where there are no two. The colours of one thing ("black and white") stay as they are.
    """
    found = [
        (first, second)
        for first, second in pairwise(MENTION.finditer(caption))
        if not _same(first["colour"].lower(), second["colour"].lower())
        and _name_a_thing(caption[first.end() : second.start()])
    ]
    if not found:
        return None
    first, second = found[rng.integers(len(found))]
    colours = first["colour"].lower(), second["colour"].lower()
    text = _replaced(caption, [(second, colours[0]), (first, colours[1])])
    return text, " ... ".join(colours), " ... ".join(colours[::-1])


def _replaced(caption: str, changes: list[tuple[re.Match[str], str]]) -> str:
    """The caption with other colours in these places, of which the last comes first."""
    for place, colour in changes:
        new = colour.capitalize() if place["colour"][0].isupper() else colour
        if place["article"]:
            article = "an" if colour[0] in "aeiou" else "a"
            new = f"{article.capitalize() if place['article'][0].isupper() else article} {new}"
        caption = caption[: place.start()] + new + caption[place.end() :]
    return caption


def _name_a_thing(between: str) -> bool:
    """Whether the words between two colours say what has the first one."""
    return bool(set(re.findall(r"[a-z]+", between.lower())) - BETWEEN_COLOURS_OF_ONE)


def _same(one: str, other: str) -> bool:
    return SAME.get(one, one) == SAME.get(other, other)
