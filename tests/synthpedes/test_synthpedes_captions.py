"""Captions against the pictures: what is named must change the picture when it is changed."""

import re
from dataclasses import replace
from functools import cache
from math import pi

import numpy as np
import pytest

from ubg.synthpedes.canvas import Part
from ubg.synthpedes.grammar import (
    MAX_WORDS,
    tokenize,
    write_captions,
    write_cloth_caption,
    write_identity_caption,
)
from ubg.synthpedes.identities import COLOURS, Identity, draw_identity, random_stream
from ubg.synthpedes.scene import Scene, draw_scene, photograph, render
from ubg.synthpedes.visible import find_facts
from ubg.synthpedes.wording import COLOUR_WORDS

CASES = range(150)

# A word of a caption, and the attribute whose change must then show in the picture.
WORDS = {
    r"cap|beanie|hat": "hat_colour",
    r"beard": "beard",
    r"glasses|eyeglasses|spectacles|sunglasses": "glasses",
    r"backpack|rucksack|handbag|purse|luggage|suitcase|bag": "bag_colour",
    r"phone|umbrella|bottle|cup|folder|papers|documents": "carried",
    r"shoes|sneakers|trainers|boots|sandals": "shoes_colour",
    r"jeans|pants|trousers|leggings|tights|shorts|skirt|bottoms": "lower_colour",
    r"striped|stripes across|horizontal stripes|vertical stripes|vertical lines|checks"
    r"|checkered|plaid|dots|print|logo|design": "upper_second_colour",
    r"over an?": "inner_colour",
    r"hair": "hair_colour",
    r"t-shirt|shirt|polo|sweater|pullover|jumper|hoodie|sweatshirt|jacket|blazer|coat|vest|top"
    r"|dress": "upper_colour",
}
MUST_CHANGE = 4  # pixels of the photograph, by more than 12 grey levels


def make_case(case: int, yaw: float | None = None) -> tuple[Identity, Scene]:
    rng = random_stream("captions", case)
    identity = draw_identity(rng)
    return identity, draw_scene(rng, identity, yaw)


@cache
def texts_of(case: int) -> list[str]:
    identity, scene = make_case(case)
    facts = find_facts(identity, scene, render(identity, scene, random_stream(case)).visibility)
    rng = random_stream("words", case)
    return [
        *write_captions(facts, rng, 4),
        write_cloth_caption(facts, rng),
        write_identity_caption(facts, rng),
    ]


def photo(identity: Identity, scene: Scene, case: int) -> np.ndarray:
    """Without noise, so that any difference comes from the person."""
    scene = replace(scene, noise=0.0)
    rng = random_stream(case)
    drawn = render(identity, scene, rng)
    return np.asarray(photograph(drawn, scene, random_stream("photo", case)), np.int16)


def changed(identity: Identity, attribute: str) -> Identity:
    value = getattr(identity, attribute)
    if attribute == "beard":
        return replace(identity, beard=not value)
    if attribute.endswith("colour"):
        allowed = ("gray", "black") if attribute == "hair_colour" else ("red", "light blue")
        other = allowed[0] if value != allowed[0] else allowed[1]
        return replace(identity, **{attribute: other})
    return replace(identity, **{attribute: "none"})


@pytest.mark.parametrize("case", CASES)
def test_what_is_named_can_be_seen(case: int) -> None:
    identity, scene = make_case(case)
    text = " ".join(texts_of(case)).lower()
    original = photo(identity, scene, case)
    for words, attribute in WORDS.items():
        if not re.search(rf"\b(?:{words})\b", text):
            continue
        if attribute == "hair_colour" and identity.hair == "bald":
            continue
        difference = np.abs(photo(changed(identity, attribute), scene, case) - original).max(axis=2)
        assert (difference > 12).sum() >= MUST_CHANGE, (attribute, text)


@pytest.mark.parametrize("case", CASES)
def test_named_colours_belong_to_the_person(case: int) -> None:
    identity, _ = make_case(case)
    own = {
        value for name in vars(identity) if name.endswith("colour")
        for value in [getattr(identity, name)]
    }  # fmt: skip
    meaning = {word: name for name in COLOURS for word in COLOUR_WORDS.get(name, (name,))}
    meaning |= {"blonde": "blond", "blond": "blond", "tan skin": identity.hair_colour}
    pattern = "|".join(sorted(map(re.escape, meaning), key=len, reverse=True))
    for text in texts_of(case):
        for word in re.findall(rf"\b(?:{pattern})\b", text):
            assert meaning[word] in own, (word, text)


@pytest.mark.parametrize("case", range(40))
def test_from_behind_there_is_no_face_and_no_front(case: int) -> None:
    identity, scene = make_case(case, yaw=pi)
    identity = replace(identity, glasses="glasses", upper="sweater", upper_pattern="print")
    seen = render(identity, scene, random_stream(case)).visibility
    facts = find_facts(identity, scene, seen)
    assert facts.glasses is None
    assert not facts.beard
    assert facts.pattern is None
    assert not facts.zip
    assert seen.pixels((Part.PRINT, Part.EYE, Part.LIPS)) == 0


@pytest.mark.parametrize(("yaw", "expected"), [(pi, "backpack"), (0.0, "backpack straps")])
def test_backpack_from_both_sides(yaw: float, expected: str) -> None:
    identity, scene = make_case(3, yaw)
    identity = replace(identity, bag="backpack", upper="t-shirt", hat="none", carried="none")
    scene = replace(scene, occluder=None, ground=186.0, height=172.0, centre=32.0)
    facts = find_facts(identity, scene, render(identity, scene, random_stream(0)).visibility)
    assert facts.bag == expected


def test_cut_off_feet_are_not_mentioned() -> None:
    identity, scene = make_case(5, 0.0)
    scene = replace(scene, occluder=None, ground=215.0, height=180.0)
    facts = find_facts(identity, scene, render(identity, scene, random_stream(0)).visibility)
    assert facts.shoes is None


@pytest.mark.parametrize("case", CASES)
def test_length_and_variety(case: int) -> None:
    captions = texts_of(case)[:4]
    assert len(set(captions)) == 4
    assert all(4 <= len(caption.split()) <= MAX_WORDS + 8 for caption in captions)
    assert all(caption[0].isupper() and caption.endswith(".") for caption in captions)


@pytest.mark.parametrize("case", CASES)
def test_articles_fit(case: int) -> None:
    for text in texts_of(case):
        assert not re.search(r"\b[Aa] [aeiou]|\b[Aa]n [^aeiou]", text), text


def test_most_captions_have_the_usual_length() -> None:
    lengths = [len(text.split()) for case in CASES for text in texts_of(case)[:4]]
    assert np.mean([15 <= n <= 45 for n in lengths]) > 0.9


def test_tokens_are_lower_case_words() -> None:
    assert tokenize("A T-shirt, navy.  It's old") == ["a", "t-shirt", "navy", "it's", "old"]
