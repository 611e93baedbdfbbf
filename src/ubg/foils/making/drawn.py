"""Foils of drawn persons: pictures, captions and cases in one folder."""

from collections import Counter
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from ubg.foils.cases import Case, image_path, write_cases
from ubg.foils.making.twins import KINDS, Drawn, Person, Twin, draw_twins
from ubg.params import Foils, SynthPedes
from ubg.runtime.files import replace_folder, require_space
from ubg.runtime.pool import mapper
from ubg.runtime.progress import progress_bar
from ubg.synthpedes.generate import BYTES_OF_IMAGE
from ubg.synthpedes.identities import (
    Identity,
    draw_identity,
    effective,
    random_stream,
)
from ubg.synthpedes.outfits import members_of

AT_ONCE = 96
Key = tuple[tuple[str, str | bool], ...]


def make_drawn_foils(
    params: Foils, dataset: SynthPedes, output: Path, processes: int = 1
) -> Counter[str]:
    """Draw persons and twins to `output`, which appears complete or not at all.

    No person and no twin has the attributes of anybody in the data set. The result is bit-identical
    whatever the number of processes.

    Writes:
        images/<number>.jpg: RGB, 192 x 64.
        cases.json: see `write_cases`.

    Args:
        params: how many persons, and how many cases of each kind at most: the first ones count.
        dataset: what the data set was drawn by.
        output: the folder.
        processes: that draw.

    Returns:
        How many cases there are of each kind.

    Raises:
        ValueError: there is no room for it on the disk.
    """
    most = params.persons + len(KINDS) * params.cases_per_kind  # pictures, a twin for each case
    require_space(output, most * BYTES_OF_IMAGE)
    taken = attributes_of_dataset(dataset)
    persons = draw_persons(params, taken)
    cases: list[Case] = []
    counts: Counter[str] = Counter()
    images = 0
    with replace_folder(output) as folder, mapper(processes) as mapped:
        (folder / "images").mkdir()

        def save(jpeg: bytes) -> int:
            nonlocal images
            image_path(folder, images).write_bytes(jpeg)
            images += 1
            return images - 1

        starts = range(0, len(persons), AT_ONCE)
        for start in progress_bar("drawing foils", iterable=starts, unit="batch of persons"):
            some = persons[start : start + AT_ONCE]
            wanted = [kind for kind in KINDS if counts[kind] < params.cases_per_kind]
            draw = partial(draw_twins, seed=params.seed, kinds=wanted)
            for person, drawn in zip(some, mapped(draw, some), strict=True):
                kept = list(_kept(drawn, taken, counts, params.cases_per_kind))
                if kept:
                    image = save(drawn.jpeg)
                    cases += [_case(person, twin, image, save(twin.jpeg)) for twin in kept]
        write_cases(folder, cases, drawn=True)
    return counts


def attributes_of_dataset(dataset: SynthPedes) -> set[Key]:
    """The attributes of everybody in the data set."""
    return {attributes(member.identity) for member in members_of(dataset)}


def attributes(identity: Identity) -> Key:
    """What can show of a person; two that have the same are the same to any caption."""
    return tuple(sorted(effective(identity).items()))


def draw_persons(params: Foils, taken: set[Key]) -> list[Person]:
    """Persons whose attributes nobody of `taken` has, no two the same."""
    rng = random_stream(params.seed, "foils", "persons")
    known = set(taken)
    persons: list[Person] = []
    while len(persons) < params.persons:
        identity = draw_identity(rng)
        if attributes(identity) not in known:
            known.add(attributes(identity))
            persons.append(Person(len(persons), identity))
    return persons


def _kept(drawn: Drawn, taken: set[Key], counts: Counter[str], limit: int) -> Iterator[Twin]:
    for twin in drawn.twins:
        if counts[twin.kind] < limit and attributes(twin.identity) not in taken:
            counts[twin.kind] += 1
            yield twin


def _case(person: Person, twin: Twin, image: int, twin_image: int) -> Case:
    def ordered(pair: Sequence[str]) -> Sequence[str]:
        return pair[::-1] if twin.leads else pair

    caption, foil_caption = ordered(twin.captions)
    fact, foil_fact = ordered(twin.facts)
    return Case(
        kind=twin.kind,
        person=person.number,
        image=twin_image if twin.leads else image,
        foil_image=image if twin.leads else twin_image,
        caption=caption,
        foil_caption=foil_caption,
        paraphrase=ordered(twin.paraphrases)[0],
        fact=fact,
        foil_fact=foil_fact,
    )
