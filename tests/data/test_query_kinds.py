"""Queries of every kind: a leading item once, everybody before anybody again, of one person."""

from collections import Counter

from miniatures import query_kinds

from ubg.data.query_kinds import KINDS, draw_queries

PARTS = ("NIR", "CP", "SK", "TEXT")
ITEMS = {
    7: {part: [f"{part}-7-{n}" for n in range(3)] for part in PARTS},
    9: {part: [f"{part}-9-{n}" for n in range(2)] for part in PARTS},
    2: {"NIR": ["NIR-2-0"], "CP": [], "TEXT": ["TEXT-2-0"]},
}


def drawn(per_kind=100, seed=3):
    by_kind = {kind: [] for kind in KINDS}
    for kind, person, parts in draw_queries(ITEMS, per_kind, seed):
        by_kind[kind].append((person, parts))
    return by_kind


def test_kinds_are_those_of_orbench():
    assert sorted(KINDS) == sorted(query_kinds())
    assert Counter(kind.count("+") + 1 for kind in KINDS) == {1: 4, 2: 12, 3: 12, 4: 4}


def test_parts_are_of_the_person_and_in_the_order_of_the_kind():
    for kind, rows in drawn().items():
        assert rows
        for person, parts in rows:
            assert [item.split("-")[:2] for item in parts] == [
                [part, str(person)] for part in kind.split("+")
            ]


def test_each_leading_item_is_drawn_once_unless_the_person_lacks_a_companion():
    for kind, rows in drawn().items():
        persons = [7, 9] if {"CP", "SK"} & set(kind.split("+")) else [7, 9, 2]
        leading = kind.split("+")[0]
        expected = [item for person in persons for item in ITEMS[person][leading]]
        assert sorted(parts[0] for _, parts in rows) == sorted(expected)


def test_everybody_is_asked_for_before_anybody_again():
    for kind, rows in drawn(per_kind=2).items():
        assert len(rows) == 2
        assert len({person for person, _ in rows}) == 2, kind


def test_draw_depends_on_the_seed_alone():
    assert drawn() == drawn()
    assert drawn() != drawn(seed=4)
