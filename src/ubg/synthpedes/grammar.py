"""Captions: which facts are told, in what order, in which sentences."""

import random
import re
from collections.abc import Callable
from dataclasses import dataclass

from ubg.synthpedes import wording
from ubg.synthpedes.visible import Facts

PRONOUNS = {"man": "He", "woman": "She", None: "The person"}
MIN_WORDS, MAX_WORDS = 14, 46
ATTEMPTS = 3


@dataclass(frozen=True)
class Told:
    """Phrases of one caption, by the kind of sentence they fit."""

    worn: list[str]
    has: list[str]
    carries: list[str]


def write_captions(facts: Facts, rng: random.Random, count: int = 2) -> list[str]:
    """Differently worded captions of one picture, about 15 to 45 words each."""
    captions: list[str] = []
    while len(captions) < count:
        # A few attempts: what can be seen may not be enough for MIN_WORDS.
        attempts = [_write(facts, rng) for _ in range(ATTEMPTS)]
        fitting = [c for c in attempts if MIN_WORDS <= len(c.split()) <= MAX_WORDS]
        caption = fitting[0] if fitting else max(attempts, key=len)
        if caption not in captions:
            captions.append(caption)
    return captions


def write_identity_caption(facts: Facts, rng: random.Random) -> str:
    """Who it is, without the clothes: sex, age, build, hair, skin, glasses."""
    parts = []
    if facts.skin:
        parts.append(f"{facts.skin} skin")
    hair = wording.hair(facts, rng)
    if hair:
        parts.append(hair)
    if facts.beard:
        parts.append("a beard")
    if facts.glasses:
        parts.append(wording.noun(facts.glasses, rng))
    rng.shuffle(parts)
    adjectives = [facts.age] if facts.age else []
    if facts.build:
        adjectives.append({"average": "medium-built"}.get(facts.build, facts.build))
    subject = wording.article(" ".join([*adjectives, facts.sex or "person"]))
    return _sentence(f"{subject} with {_join(parts)}" if parts else subject)


def write_cloth_caption(facts: Facts, rng: random.Random) -> str:
    """What is worn and carried, without who wears it."""
    worn = []
    if facts.upper:
        worn.append(wording.upper(facts, rng, detail=1.0))
    if facts.lower:
        worn.append(wording.lower(facts, rng))
    if facts.shoes:
        worn.append(wording.shoes(facts, rng))
    if facts.hat:
        worn.append(wording.hat(facts, rng))
    if facts.bag:
        worn.append(wording.bag(facts, rng))
    return _sentence(_join(worn) if worn else "clothes that are hidden")


def _write(facts: Facts, rng: random.Random) -> str:
    told = _choose(facts, rng)
    template: Callable[[Facts, Told, random.Random], str] = rng.choice(
        (_plain, _plain, _with_first, _walking_first, _garment_first)
    )
    return template(facts, told, rng)


def _choose(facts: Facts, rng: random.Random) -> Told:
    """What to mention: nearly always the large garments, often what is rare."""

    def says(chance: float) -> bool:
        return rng.random() < chance

    worn, has, carries = [], [], []
    if facts.upper:
        worn.append(wording.upper(facts, rng))
    if facts.lower and says(0.93):
        worn.append(wording.lower(facts, rng))
    elif facts.bare_legs and not facts.lower and says(0.3):
        has.append("bare legs")
    if facts.shoes and says(0.66):
        worn.append(wording.shoes(facts, rng))
    if says(0.3):
        rng.shuffle(worn)
    if facts.hat and says(0.85):
        (has if says(0.3) else worn).append(wording.hat(facts, rng))
    hair = wording.hair(facts, rng)
    if hair and says(0.62):
        has.append(hair)
    if facts.glasses and says(0.6):
        has.append(wording.noun(facts.glasses, rng))
    if facts.beard and says(0.6):
        has.append("a beard")
    if facts.skin and says(0.12):
        has.append(f"{facts.skin} skin")
    if facts.bag and says(0.88):
        carries.append(wording.bag(facts, rng))
    if facts.carried and says(0.8):
        carries.append(wording.noun(facts.carried, rng))
    rng.shuffle(has)
    return Told(worn, has, carries)


def _plain(facts: Facts, told: Told, rng: random.Random) -> str:
    """The man is wearing ... He has ... and is carrying ..."""
    name = wording.person(facts, rng)
    subject = rng.choice((f"The {name}", f"This {name}", wording.article(name)))
    first = (
        f"{subject} {_wears(rng)} {_join(told.worn)}"
        if told.worn
        else f"{subject} is partly hidden"
    )
    return _finish(facts, rng, first, told.has, told.carries)


def _with_first(facts: Facts, told: Told, rng: random.Random) -> str:
    """A woman with ... wears ..."""
    subject = wording.article(wording.person(facts, rng))
    if told.has:
        subject += f" with {_join(told.has)}"
    verb = rng.choice(("is wearing", "wears", "is dressed in", "in"))
    first = f"{subject} {verb} {_join(told.worn)}" if told.worn else f"{subject} is partly hidden"
    return _finish(facts, rng, first, [], told.carries)


def _walking_first(facts: Facts, told: Told, rng: random.Random) -> str:
    """A man walking away from the camera, dressed in ..."""
    subject = wording.article(wording.person(facts, rng))
    doing = "walking" if facts.walking else rng.choice(("seen", "shown"))
    where = {
        "front": ("from the front",) if doing != "walking" else ("towards the camera", "forward"),
        "back": ("from behind",) if doing != "walking" else ("away from the camera", "away"),
        "side": ("from the side",) if doing != "walking" else ("to the side", "past the camera"),
    }[facts.aspect]
    first = f"{subject} {doing} {rng.choice(where)}"
    if told.worn:
        first += f"{rng.choice((', wearing', ', dressed in', ' in'))} {_join(told.worn)}"
    return _finish(facts, rng, first, told.has, told.carries)


def _garment_first(facts: Facts, told: Told, rng: random.Random) -> str:
    """Wearing ..., the woman carries ..."""
    if not told.worn:
        return _plain(facts, told, rng)
    subject = rng.choice(("the ", "this ")) + wording.person(facts, rng)
    rest = []
    if told.has:
        rest.append(f"has {_join(told.has)}")
    if told.carries:
        rest.append(f"{rng.choice(('carries', 'is carrying'))} {_join(told.carries)}")
    if not rest:
        return _plain(facts, told, rng)
    opening = rng.choice(("Wearing", "Dressed in", "In"))
    return _sentence(f"{opening} {_join(told.worn)}, {subject} {' and '.join(rest)}")


def _finish(
    facts: Facts, rng: random.Random, first: str, has: list[str], carries: list[str]
) -> str:
    """The first sentence, then what else is told in one or two more."""
    pronoun = PRONOUNS[facts.sex]
    clauses = []
    if has:
        clauses.append(f"{rng.choice(('has', 'has', 'is seen with'))} {_join(has)}")
    if carries:
        in_hand = facts.bag in (None, "handbag", "suitcase")
        verbs = ("is carrying", "carries", "is holding" if in_hand else "is carrying")
        clauses.append(f"{rng.choice(verbs)} {_join(carries)}")
    if not clauses:
        return _sentence(first)
    if len(clauses) == 1 and rng.random() < 0.4:
        return _sentence(f"{first}, and {pronoun.lower()} {clauses[0]}")
    if len(clauses) == 2 and rng.random() < 0.5:
        sentences = [first, *(f"{pronoun} {clause}" for clause in clauses)]
        return " ".join(map(_sentence, sentences))
    return f"{_sentence(first)} {_sentence(f'{pronoun} ' + ' and '.join(clauses))}"


def _wears(rng: random.Random) -> str:
    return rng.choice(("is wearing", "wears", "is dressed in", "has on", "is clothed in"))


def _join(phrases: list[str]) -> str:
    if len(phrases) <= 1:
        return "".join(phrases)
    return f"{', '.join(phrases[:-1])}{',' if len(phrases) > 2 else ''} and {phrases[-1]}"


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."


def tokenize(caption: str) -> list[str]:
    """Lower-case words without punctuation, as `processed_tokens` of CUHK-PEDES holds them."""
    return re.findall(r"[a-z0-9]+(?:[-'][a-z0-9]+)*", caption.lower())
