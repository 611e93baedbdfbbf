"""What is known of drawn persons: who they are, what they wear, and how much of it shows."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from ubg.synthpedes.identities import Member, effective
from ubg.synthpedes.outfits import body
from ubg.synthpedes.visible import Facts


def attribute_lists(
    members: Sequence[Member], records: Sequence[dict[str, Any]]
) -> dict[str, list[Any]]:
    """`attributes.json`.

    `identities` has a row for each: `id`, `split`, `person`, `outfit`, `body` (a number, the same
    where all that an identity caption can tell is), `group` (the `id` of the first of its near
    twins, or of the outfits of one person) and `attributes`, those that can show.
    `images` has a row for each RGB image: `id`, `file_path` and `visible`, what can be said of it.
    """
    number_of: dict[tuple[object, ...], int] = {}
    first_of: dict[tuple[str, int], int] = {}
    identities = [
        {
            "id": member.pid,
            "split": member.split,
            "person": member.person,
            "outfit": member.outfit,
            "body": number_of.setdefault(body(member.identity), len(number_of) + 1),
            "group": first_of.setdefault((member.split, member.group), member.pid),
            "attributes": effective(member.identity),
        }
        for member in members
    ]
    images = [{key: record[key] for key in ("id", "file_path", "visible")} for record in records]
    return {"identities": identities, "images": images}


def visible_attributes(facts: Facts) -> dict[str, str | bool]:
    """The facts of a picture without those that cannot be seen."""
    return {name: value for name, value in asdict(facts).items() if value}
