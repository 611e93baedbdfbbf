from collections import Counter, defaultdict

import pytest

from ubg.synthpedes.identities import (
    SPLITS,
    Member,
    differences,
    effective,
    make_members,
    random_stream,
)

SIZES = {"train": 300, "val": 40, "test": 60}


@pytest.fixture(scope="module")
def members() -> list[Member]:
    return make_members(7, SIZES)


def test_sizes_and_ids(members: list[Member]) -> None:
    assert Counter(m.split for m in members) == SIZES
    assert [m.pid for m in members] == list(range(1, 401))


def test_no_two_identities_look_alike(members: list[Member]) -> None:
    keys = {tuple(sorted(effective(m.identity).items())) for m in members}
    assert len(keys) == len(members)


def test_twins_differ_in_exactly_one_attribute(members: list[Member]) -> None:
    groups = defaultdict(list)
    for m in members:
        groups[m.split, m.group].append(m.identity)
    for first, *twins in groups.values():
        for twin in twins:
            assert len(differences(first, twin)) == 1
            assert twin.look == first.look


@pytest.mark.parametrize("split", SPLITS)
def test_every_split_has_twins(members: list[Member], split: str) -> None:
    sizes = Counter(m.group for m in members if m.split == split)
    in_groups = sum(size for size in sizes.values() if size > 1)
    assert 0.3 < in_groups / SIZES[split] < 0.7


def test_smallest_split_has_twins() -> None:
    members = make_members(0, {"train": 2, "val": 2, "test": 2})
    assert {(m.split, m.group) for m in members} == {(split, 0) for split in SPLITS}


def test_same_seed_same_identities_whatever_the_other_splits() -> None:
    again = make_members(7, SIZES | {"train": 10})
    val = [m.identity for m in make_members(7, SIZES) if m.split == "val"]
    assert [m.identity for m in again if m.split == "val"] == val
    assert make_members(8, SIZES)[0].identity != make_members(7, SIZES)[0].identity


def test_random_stream_depends_on_its_parts_alone() -> None:
    assert random_stream(1, "a", 2).random() == random_stream(1, "a", 2).random()
    assert random_stream(1, "a", 2).random() != random_stream(1, "a", 3).random()
