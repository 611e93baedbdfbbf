"""Who is drawn: attributes of a pedestrian, and groups of near twins that differ in one of them."""

import random
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import Any

SPLITS = ("train", "val", "test")

# sRGB; every use adds a jitter, so a name stands for a small region.
COLOURS = {
    "black": (34, 34, 37),
    "white": (234, 234, 230),
    "gray": (134, 136, 139),
    "red": (188, 36, 40),
    "blue": (44, 92, 186),
    "dark blue": (34, 44, 92),
    "light blue": (126, 178, 226),
    "green": (46, 126, 66),
    "yellow": (234, 202, 58),
    "orange": (232, 122, 38),
    "purple": (112, 62, 150),
    "pink": (238, 148, 182),
    "brown": (106, 70, 44),
    "beige": (212, 191, 154),
}
SKINS = {"light": (236, 196, 170), "tan": (202, 152, 116), "dark": (112, 76, 56)}
HAIR_COLOURS = {
    "black": (28, 25, 25),
    "brown": (84, 54, 36),
    "blond": (214, 178, 108),
    "gray": (168, 168, 168),
    "red": (150, 70, 36),
}
ANY_COLOUR = tuple(COLOURS)
DENIM = ("dark blue", "light blue", "black", "gray")
LEATHER = ("black", "brown", "beige", "white", "red")
TROUSER_COLOURS = ("black", "gray", "dark blue", "beige", "brown", "white", "green", "red")

MEN_UPPER = (
    "t-shirt", "polo shirt", "shirt", "sweater", "hoodie", "jacket", "puffer jacket",
    "suit jacket", "coat", "vest", "tank top",
)  # fmt: skip
WOMEN_UPPER = (
    "t-shirt", "shirt", "sweater", "hoodie", "jacket", "puffer jacket", "coat", "vest",
    "tank top", "dress",
)  # fmt: skip
MEN_LOWER = ("jeans", "trousers", "sweatpants", "shorts")
WOMEN_LOWER = ("jeans", "trousers", "leggings", "shorts", "skirt", "long skirt")
MEN_HAIR = ("short", "short", "short", "curly", "bald", "shoulder-length")
WOMEN_HAIR = ("long", "long", "ponytail", "shoulder-length", "bun", "short", "curly")
PATTERNS = ("plain", "plain", "plain", "horizontal stripes", "vertical stripes", "checks", "dots")
PRINTABLE = ("t-shirt", "sweater", "hoodie")
OPENABLE = ("jacket", "coat", "hoodie", "puffer jacket")
LAYERED = ("suit jacket", "vest")


@dataclass(frozen=True)
class Identity:
    """One pedestrian, in one outfit.

    Attributes:
        look: seeds what has no name of the body: shades of skin and hair, proportions.
        outfit_look: the same of what is worn and carried: shades, patterns, reflectance.
    """

    sex: str
    age: str
    build: str
    skin: str
    hair: str
    hair_colour: str
    beard: bool
    glasses: str
    hat: str
    hat_colour: str
    upper: str
    upper_colour: str
    upper_pattern: str
    upper_second_colour: str
    upper_open: bool
    inner_colour: str
    lower: str
    lower_colour: str
    lower_stripe: bool
    shoes: str
    shoes_colour: str
    bag: str
    bag_colour: str
    carried: str
    look: int
    outfit_look: int


@dataclass(frozen=True)
class Member:
    """An identity's place in the data set.

    Attributes:
        split: its split.
        number: within the split, from 0.
        pid: over the data set, from 1.
        group: numbers near twins within the split, or the outfits of one person.
        person, outfit: whose body, and which clothes, over the data set.
        identity: the person in the outfit.
    """

    split: str
    number: int
    pid: int
    group: int
    person: int
    outfit: int
    identity: Identity


def random_stream(*parts: object) -> random.Random:
    """A random generator that depends on `parts` alone: any process draws the same numbers."""
    return random.Random("/".join(map(str, parts)))  # noqa: S311 -- reproducibility, no secrets


def effective(identity: Identity) -> dict[str, str | bool]:
    """The attributes that can show, without those that another attribute switches off."""
    names = [f.name for f in fields(identity) if f.name not in ("look", "outfit_look")]
    values = {name: getattr(identity, name) for name in names}
    off = {
        "hair_colour": identity.hair == "bald",
        "beard": identity.sex == "woman",
        "hat_colour": identity.hat == "none",
        "upper_second_colour": identity.upper_pattern == "plain",
        "inner_colour": not shows_inner(identity),
        "upper_open": identity.upper not in OPENABLE,
        "lower": identity.upper == "dress",
        "lower_colour": identity.upper == "dress",
        "lower_stripe": identity.lower != "sweatpants" or identity.upper == "dress",
        "bag_colour": identity.bag == "none",
    }
    return {name: value for name, value in values.items() if not off.get(name, False)}


def shows_inner(identity: Identity) -> bool:
    """Whether a second garment shows under the upper one."""
    return identity.upper in LAYERED or (identity.upper_open and identity.upper in OPENABLE)


def make_members(seed: int, sizes: dict[str, int]) -> list[Member]:
    """All identities of the data set, no two with the same effective attributes.

    Args:
        seed: of the data set.
        sizes: identities of each split, by name.

    Returns:
        Splits one after the other, pids contiguous from 1. Every split has groups of near twins:
        members of one group differ in exactly one effective attribute from the first of the group.
    """
    members: list[Member] = []
    known: set[tuple[object, ...]] = set()
    for split in SPLITS:
        number = group = 0
        while number < sizes[split]:
            rng = random_stream(seed, split, "group", group)
            size = 2 if group == 0 else rng.choices((1, 2, 3), (0.68, 0.24, 0.08))[0]
            for identity in _group(rng, min(size, sizes[split] - number), known):
                pid = len(members) + 1
                members.append(Member(split, number, pid, group, pid, pid, identity))
                number += 1
            group += 1
    return members


def _group(rng: random.Random, size: int, known: set[tuple[object, ...]]) -> list[Identity]:
    first = _draw_new(known, lambda: draw_identity(rng))
    twins = [_draw_new(known, lambda: make_twin(first, rng)) for _ in range(size - 1)]
    return [first, *twins]


def _draw_new(known: set[tuple[object, ...]], draw: Callable[[], Identity]) -> Identity:
    while True:
        identity = draw()
        key = tuple(sorted(effective(identity).items()))
        if key not in known:
            known.add(key)
            return identity


def draw_identity(rng: random.Random) -> Identity:
    """Attributes drawn at random, consistent with one another."""
    man = rng.random() < 0.52
    age = rng.choices(("young", "adult", "elderly"), (0.35, 0.5, 0.15))[0]
    upper = rng.choice(MEN_UPPER if man else WOMEN_UPPER)
    upper_colour = rng.choice(upper_colours(upper))
    pattern = rng.choice(upper_patterns(upper))
    lower = rng.choice(MEN_LOWER if man else WOMEN_LOWER)
    shoes = rng.choices(("sneakers", "leather shoes", "boots", "sandals"), (5, 3, 2, 1))[0]
    bag = rng.choices(
        ("none", "backpack", "shoulder bag", "handbag", "suitcase"),
        (0.36, 0.26, 0.2, 0.0 if man else 0.16, 0.08),
    )[0]
    identity = Identity(
        sex="man" if man else "woman",
        age=age,
        build=rng.choices(("slim", "average", "heavy"), (0.28, 0.5, 0.22))[0],
        skin=rng.choices(tuple(SKINS), (0.5, 0.28, 0.22))[0],
        hair=rng.choice(MEN_HAIR if man else WOMEN_HAIR),
        hair_colour="gray" if age == "elderly" else rng.choice(("black", "brown", "blond", "red")),
        beard=man and rng.random() < 0.25,
        glasses=rng.choices(("none", "glasses", "sunglasses"), (0.66, 0.22, 0.12))[0],
        hat=rng.choices(("none", "cap", "beanie", "brimmed hat"), (0.68, 0.16, 0.1, 0.06))[0],
        hat_colour=rng.choice(ANY_COLOUR),
        upper=upper,
        upper_colour=upper_colour,
        upper_pattern=pattern,
        upper_second_colour=_other(rng, ANY_COLOUR, upper_colour),
        upper_open=rng.random() < 0.45,
        inner_colour=_other(rng, ANY_COLOUR, upper_colour),
        lower=lower,
        lower_colour=rng.choice(lower_colours(lower)),
        lower_stripe=rng.random() < 0.5,
        shoes=shoes,
        shoes_colour=rng.choice(shoe_colours(shoes)),
        bag=bag,
        bag_colour=rng.choice(ANY_COLOUR),
        carried=rng.choices(
            ("none", "phone", "umbrella", "bottle", "cup", "folder"), (12, 3, 1.5, 1.5, 1.5, 1.5)
        )[0],
        look=rng.getrandbits(32),
        outfit_look=0,
    )
    return replace(identity, outfit_look=identity.look)


def make_twin(identity: Identity, rng: random.Random) -> Identity:
    """The same person but for one effective attribute."""
    choices: dict[str, tuple[str, ...]] = {
        "upper_colour": upper_colours(identity.upper),
        "shoes_colour": shoe_colours(identity.shoes),
        "hat": ("none", "cap", "beanie", "brimmed hat"),
    }
    if identity.hat == "none":
        choices["hair"] = MEN_HAIR if identity.sex == "man" else WOMEN_HAIR
    if identity.upper != "dress":
        choices["lower_colour"] = lower_colours(identity.lower)
        choices["lower"] = MEN_LOWER if identity.sex == "man" else WOMEN_LOWER
    if identity.bag != "none":
        choices["bag_colour"] = ANY_COLOUR
    if identity.upper_pattern != "plain":
        choices["upper_second_colour"] = ANY_COLOUR
    if shows_inner(identity):
        choices["inner_colour"] = ANY_COLOUR
    while True:
        name = rng.choice(tuple(choices))
        change: dict[str, Any] = {name: rng.choice(choices[name])}
        twin = replace(identity, **change)
        if _consistent(twin) and differences(identity, twin) == [name]:
            return twin


def differences(one: Identity, other: Identity) -> list[str]:
    """Names of the effective attributes in which two identities differ."""
    a, b = effective(one), effective(other)
    return sorted(name for name in a.keys() | b.keys() if a.get(name) != b.get(name))


def _consistent(identity: Identity) -> bool:
    return (
        identity.upper_second_colour != identity.upper_colour
        and identity.inner_colour != identity.upper_colour
        and identity.lower_colour in lower_colours(identity.lower)
    )


def upper_colours(upper: str) -> tuple[str, ...]:
    """Colours in which a garment is made."""
    if upper == "suit jacket":
        return ("black", "gray", "dark blue", "brown", "beige")
    return ANY_COLOUR


def upper_patterns(upper: str) -> tuple[str, ...]:
    """Patterns with which a garment is made."""
    if upper in ("t-shirt", "shirt", "sweater", "dress", "polo shirt"):
        return (*PATTERNS, *(("print", "print") if upper in PRINTABLE else ()))
    return ("plain", "plain", "print") if upper in PRINTABLE else ("plain",)


def lower_colours(lower: str) -> tuple[str, ...]:
    """Colours in which a garment is made."""
    return {
        "jeans": DENIM,
        "trousers": TROUSER_COLOURS,
        "sweatpants": ("black", "gray", "dark blue", "red", "green", "blue"),
        "leggings": ("black", "gray", "dark blue", "purple", "pink"),
    }.get(lower, ANY_COLOUR)


def shoe_colours(shoes: str) -> tuple[str, ...]:
    """Colours in which shoes are made."""
    return ANY_COLOUR if shoes == "sneakers" else LEATHER


def _other(rng: random.Random, values: tuple[str, ...], taken: str) -> str:
    return rng.choice([value for value in values if value != taken])
