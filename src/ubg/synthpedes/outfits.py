"""Persons with two or three outfits, and outfits that two persons wear."""

import random
from dataclasses import dataclass, fields, replace

from ubg.params import SynthPedes
from ubg.synthpedes.identities import (
    SPLITS,
    Identity,
    Member,
    draw_identity,
    effective,
    make_members,
    random_stream,
)

BODY = ("sex", "age", "build", "skin", "hair", "hair_colour", "beard", "glasses")
OUTFIT = tuple(f.name for f in fields(Identity) if f.name not in (*BODY, "look"))


@dataclass(frozen=True)
class _Worn:
    """An outfit as its first wearer wears it."""

    number: int
    wearer: Identity


def members_of(params: SynthPedes) -> list[Member]:
    """All identities that are drawn: near twins, or persons in several outfits."""
    counts = (params.train_identities, params.val_identities, params.test_identities)
    sizes = dict(zip(SPLITS, counts, strict=True))
    if params.outfits is None:
        return make_members(params.seed, sizes)
    return make_dressed_members(params.seed, sizes, params.outfits.shared)


def make_dressed_members(seed: int, sizes: dict[str, int], shared: float) -> list[Member]:
    """Persons in two or three outfits each; an identity, and a pid, is a person in an outfit.

    No two identities have the same effective attributes, and no person or outfit is in two splits.

    Args:
        seed: of the data set.
        sizes: identities of each split, by name, two at least.
        shared: share of the persons whose last outfit is one that somebody before them wears. Who
            shares it is of the same sex and has another body. Nobody else wears it.
    """
    members: list[Member] = []
    known: set[tuple[object, ...]] = set()
    persons = outfits = 0
    for split in SPLITS:
        free: list[_Worn] = []  # outfits that one person wears
        number = group = 0
        while number < sizes[split]:
            rng = random_stream(seed, split, "person", group)
            person = draw_identity(rng)
            persons += 1
            own: list[_Worn] = []
            count = _outfits_of_one(rng, sizes[split] - number)
            lent = _lent(rng, person, free, known) if rng.random() < shared else None
            for place in range(count):
                if lent is not None and place == count - 1:
                    identity, outfit = wear(person, lent.wearer), lent.number
                    free.remove(lent)
                else:
                    identity, outfit = _new_outfit(rng, person, known), outfits + 1
                    outfits += 1
                    own.append(_Worn(outfit, identity))
                known.add(_key(identity))
                pid = len(members) + 1
                members.append(Member(split, number, pid, group, persons, outfit, identity))
                number += 1
            free += own
            group += 1
    return members


def wear(person: Identity, wearer: Identity) -> Identity:
    """The person in what another one wears and carries."""
    return replace(person, **{name: getattr(wearer, name) for name in OUTFIT})


def body(identity: Identity) -> tuple[object, ...]:
    """What can be told of a person whatever they wear."""
    values = effective(identity)
    return tuple(values.get(name) for name in BODY)


def _outfits_of_one(rng: random.Random, left: int) -> int:
    """Two or three, so that nobody after is left with one."""
    count = rng.choice((2, 3))
    return 5 - count if left - count == 1 or left < count else count


def _lent(
    rng: random.Random, person: Identity, free: list[_Worn], known: set[tuple[object, ...]]
) -> _Worn | None:
    fitting = [
        worn
        for worn in free
        if worn.wearer.sex == person.sex
        and body(worn.wearer) != body(person)
        and _key(wear(person, worn.wearer)) not in known
    ]
    return rng.choice(fitting) if fitting else None


def _new_outfit(rng: random.Random, person: Identity, known: set[tuple[object, ...]]) -> Identity:
    """The person in an outfit of their own, unlike everybody before."""
    while True:
        other = draw_identity(rng)
        identity = wear(person, other)
        if other.sex == person.sex and _key(identity) not in known:
            return identity


def _key(identity: Identity) -> tuple[object, ...]:
    return tuple(sorted(effective(identity).items()))
