"""A drawn person and twins in the same scene and pose, each with one fact changed."""

import io
import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields, replace
from itertools import islice
from typing import Any

import numpy as np

from ubg.foils.cases import BINDING
from ubg.foils.making.wordings import word_both
from ubg.synthpedes.generate import JPEG_QUALITY
from ubg.synthpedes.identities import (
    ANY_COLOUR,
    MEN_HAIR,
    MEN_LOWER,
    WOMEN_HAIR,
    WOMEN_LOWER,
    Identity,
    differences,
    lower_colours,
    random_stream,
    shoe_colours,
    upper_colours,
    upper_patterns,
)
from ubg.synthpedes.scene import Rendering, Scene, draw_scene, photograph, render
from ubg.synthpedes.visible import Facts, find_facts

# What is changed of the identity, and the fact that shows it.
CHANGED = {
    "upper_colour": ("upper_colour", "upper_colour"),
    "lower_colour": ("lower_colour", "lower_colour"),
    "shoes_colour": ("shoes_colour", "shoes_colour"),
    "second_colour": ("upper_second_colour", "second_colour"),
    "inner_colour": ("inner_colour", "inner_colour"),
    "bag_colour": ("bag_colour", "bag_colour"),
    "hat_colour": ("hat_colour", "hat_colour"),
    "hair_colour": ("hair_colour", "hair_colour"),
    "bag": ("bag", "bag"),
    "hat": ("hat", "hat"),
    "hair": ("hair", "hair"),
    "shoes": ("shoes", "shoes"),
    "lower": ("lower", "lower"),
    "pattern": ("upper_pattern", "pattern"),
}
KINDS = (*CHANGED, BINDING)
TRIES = 3  # twins of one kind
# A twin differs by so many grey levels, of 255, in at least so many of the 12,288 pixels.
LEAST_CHANGE, LEAST_PIXELS = 24, 16


@dataclass(frozen=True)
class Person:
    """Who is drawn; `number` is that of the person among all of them."""

    number: int
    identity: Identity


@dataclass(frozen=True)
class Twin:
    """A twin that was accepted.

    Attributes:
        kind: one of `KINDS`.
        identity: of the twin.
        jpeg: its picture.
        captions: of the person and of the twin, in the same wording.
        paraphrases: both in another wording.
        facts: what differs, of the person and of the twin.
        leads: whether the twin's picture is the one that is described, and the person's the foil.
            A fair coin decides, so that no caption is likelier to be right for its words alone.
    """

    kind: str
    identity: Identity
    jpeg: bytes
    captions: tuple[str, str]
    paraphrases: tuple[str, str]
    facts: tuple[str, str]
    leads: bool


@dataclass(frozen=True)
class Drawn:
    """The picture of a person, and the twins."""

    jpeg: bytes
    twins: list[Twin]


def draw_twins(person: Person, seed: int, kinds: Iterable[str]) -> Drawn:
    """Draw a person and a twin for each of `kinds` that person and scene allow.

    Nothing hides a part of the person, as a car or a pole does in the data set.
    """
    identity = person.identity
    scene = draw_scene(random_stream(seed, "foils", person.number, "scene"), identity)
    scene = replace(scene, occluder=None)
    rendering = _render(identity, scene, person, seed)
    facts = find_facts(identity, scene, rendering.visibility)
    twins = []
    for kind in kinds:
        rng = random_stream(seed, "foils", person.number, kind)
        for other in islice(_others(identity, facts, kind, rng), TRIES):
            other_rendering = _render(other, scene, person, seed)
            other_facts = find_facts(other, scene, other_rendering.visibility)
            if not (
                differ_in(kind, facts, other_facts) and look_different(rendering, other_rendering)
            ):
                continue
            wordings = _two_wordings(facts, other_facts, rng, kind)
            if wordings is None:
                continue
            twins.append(
                Twin(
                    kind=kind,
                    identity=other,
                    jpeg=_photograph(other_rendering, scene, person, seed),
                    captions=wordings[0],
                    paraphrases=wordings[1],
                    facts=(named_fact(kind, facts), named_fact(kind, other_facts)),
                    leads=rng.random() < 0.5,
                )
            )
            break
    return Drawn(_photograph(rendering, scene, person, seed), twins)


def differ_in(kind: str, facts: Facts, other_facts: Facts) -> bool:
    """Whether what can be seen differs in the fact of this kind, and in nothing else."""
    found = {
        f.name for f in fields(Facts) if getattr(facts, f.name) != getattr(other_facts, f.name)
    }
    if kind == BINDING:
        return found == {"upper_colour", "lower_colour"} and None not in (
            other_facts.upper_colour,
            other_facts.lower_colour,
        )
    fact = CHANGED[kind][1]
    own, other = getattr(facts, fact), getattr(other_facts, fact)
    if own is None or other is None or _leaves_open(own, other):
        return False
    return found - ({"bare_legs"} if kind == "lower" else set()) == {fact}


def look_different(rendering: Rendering, other: Rendering) -> bool:
    """Whether a witness could tell the two pictures apart, shades and grain aside."""
    change = np.abs(rendering.colour - other.colour).max(axis=-1)
    return int((change > LEAST_CHANGE).sum()) >= LEAST_PIXELS


def named_fact(kind: str, facts: Facts) -> str:
    """The fact of a kind in plain words."""
    if kind == BINDING:
        return f"{facts.upper_colour} {facts.upper}, {facts.lower_colour} {facts.lower}"
    return str(getattr(facts, CHANGED[kind][1]))


def _others(identity: Identity, facts: Facts, kind: str, rng: random.Random) -> Iterator[Identity]:
    """Identities that differ from this one in what `kind` names, in random order."""
    if kind == BINDING:
        if facts.upper_colour is None or facts.lower_colour is None:
            return
        changes: list[dict[str, Any]] = [
            {"upper_colour": identity.lower_colour, "lower_colour": identity.upper_colour}
        ]
        if _leaves_open(identity.upper_colour, identity.lower_colour):
            return
    else:
        attribute, fact = CHANGED[kind]
        if getattr(facts, fact) is None:
            return
        values = _values(identity, attribute)
        changes = [{attribute: value} for value in rng.sample(values, len(values))]
    for change in changes:
        other = replace(identity, **change)
        if _consistent(other) and differences(identity, other) == sorted(change):
            yield other


def _values(identity: Identity, attribute: str) -> list[str]:
    """The values that an attribute can take, each once."""
    man = identity.sex == "man"
    if attribute == "hair_colour":
        return [] if identity.age == "elderly" else ["black", "brown", "blond", "red"]
    if attribute == "bag":
        return ["backpack", "shoulder bag", "suitcase", *([] if man else ["handbag"])]
    found = {
        "hat": ("cap", "beanie", "brimmed hat"),
        "hair": MEN_HAIR if man else WOMEN_HAIR,
        "shoes": ("sneakers", "leather shoes", "boots", "sandals"),
        "lower": MEN_LOWER if man else WOMEN_LOWER,
        "upper_pattern": upper_patterns(identity.upper),
    }.get(attribute, ANY_COLOUR)
    return sorted(set(found) - {"plain"})


def _consistent(identity: Identity) -> bool:
    """Whether garments are made like this, and their colours can be told apart."""
    return (
        identity.upper_colour in upper_colours(identity.upper)
        and identity.lower_colour in lower_colours(identity.lower)
        and identity.shoes_colour in shoe_colours(identity.shoes)
        and identity.upper_second_colour != identity.upper_colour
        and identity.inner_colour != identity.upper_colour
    )


def _leaves_open(one: str, other: str) -> bool:
    """Whether one value is a case of the other, as dark blue is of blue."""
    return one in other or other in one


def _two_wordings(
    facts: Facts, other_facts: Facts, rng: random.Random, kind: str
) -> tuple[tuple[str, str], tuple[str, str]] | None:
    """Captions of both, and both in other words; None where no wording fits."""
    wordings = word_both(facts, other_facts, rng, kind == BINDING)
    first = next(wordings, None)
    second = next((wording for wording in wordings if wording != first), None)
    return None if first is None or second is None else (first, second)


def _render(identity: Identity, scene: Scene, person: Person, seed: int) -> Rendering:
    return render(identity, scene, random_stream(seed, "foils", person.number, "folds"))


def _photograph(rendering: Rendering, scene: Scene, person: Person, seed: int) -> bytes:
    rng = random_stream(seed, "foils", person.number, "background")
    jpeg = io.BytesIO()
    photograph(rendering, scene, rng).save(jpeg, "JPEG", quality=JPEG_QUALITY)
    return jpeg.getvalue()
