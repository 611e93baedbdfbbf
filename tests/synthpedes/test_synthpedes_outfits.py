"""Persons in several outfits, outfits on two persons: neither betrays the other."""

from collections import Counter, defaultdict

import numpy as np
import pytest
import sections

from ubg.data.annotations.clothing import read_clothing
from ubg.data.annotations.table import read_annotations
from ubg.data.clothing import identity_ceiling
from ubg.synthpedes.figure import palette
from ubg.synthpedes.generate import generate
from ubg.synthpedes.identities import SPLITS, effective, make_members
from ubg.synthpedes.outfits import (
    BODY,
    OUTFIT,
    body,
    make_dressed_members,
    members_of,
    wear,
)

SIZES = {"train": 200, "val": 41, "test": 60}


@pytest.fixture(scope="module")
def members():
    return make_dressed_members(5, SIZES, 0.5)


def test_sizes_and_numbers(members):
    assert Counter(member.split for member in members) == SIZES
    assert [member.pid for member in members] == list(range(1, 302))
    for split, size in SIZES.items():
        numbers = [member.number for member in members if member.split == split]
        assert numbers == list(range(size))


def test_a_person_has_two_or_three_outfits_and_one_body(members):
    worn = defaultdict(list)
    for member in members:
        worn[member.person].append(member)
    for of_person in worn.values():
        assert len(of_person) in (2, 3)
        assert len({member.outfit for member in of_person}) == len(of_person)
        assert len({(body(m.identity), m.identity.look, m.split) for m in of_person}) == 1
        assert len({m.identity.outfit_look for m in of_person}) == len(of_person)


@pytest.mark.parametrize("split", SPLITS)
def test_some_outfits_are_worn_by_two_persons_of_other_bodies(members, split):
    wearers = defaultdict(list)
    for member in members:
        if member.split == split:
            wearers[member.outfit].append(member)
    assert set(map(len, wearers.values())) == {1, 2}
    for pair in wearers.values():
        if len(pair) == 2:
            one, other = (member.identity for member in pair)
            assert pair[0].person != pair[1].person
            assert body(one) != body(other)
            assert [getattr(one, name) for name in OUTFIT] == [
                getattr(other, name) for name in OUTFIT
            ]


def test_no_outfit_is_in_two_splits_and_no_two_identities_look_alike(members):
    split_of = defaultdict(set)
    for member in members:
        split_of[member.outfit].add(member.split)
    assert all(len(splits) == 1 for splits in split_of.values())
    keys = {tuple(sorted(effective(member.identity).items())) for member in members}
    assert len(keys) == len(members)


def test_nothing_is_shared_where_nothing_is_to_be():
    assert len({m.outfit for m in make_dressed_members(5, SIZES, 0.0)}) == 301


def test_body_and_outfit_are_all_that_a_person_is(members):
    one = members[0].identity
    other = next(m.identity for m in members if m.identity.sex == one.sex and m.person != 1)
    dressed = wear(one, other)
    assert [getattr(dressed, name) for name in BODY] == [getattr(one, name) for name in BODY]
    assert dressed.look == one.look
    assert wear(dressed, one) == one


def test_shades_of_garments_follow_the_outfit_and_those_of_the_body_the_person(members):
    one = members[0].identity
    other = next(m.identity for m in members if m.identity.sex == one.sex and m.person != 1)
    own, dressed, lender = palette(one), palette(wear(one, other)), palette(other)
    of_body = np.flatnonzero((own == dressed).all(axis=1) & (dressed != lender).any(axis=1))
    of_outfit = np.flatnonzero((dressed == lender).all(axis=1) & (own != dressed).any(axis=1))
    assert len(of_body) > 5
    assert len(of_outfit) > 5
    assert ((own == dressed) | (dressed == lender)).all(axis=1).all()


def test_one_outfit_each_is_drawn_as_before():
    params = sections.synthpedes()
    sizes = {"train": 4, "val": 2, "test": 3}
    assert members_of(params) == make_members(11, sizes)
    assert all(m.identity.outfit_look == m.identity.look for m in members_of(params))


def test_reader_finds_persons_outfits_and_captions(tmp_path):
    params = sections.synthpedes(
        train_identities=12, val_identities=5, test_identities=6, outfits={"shared": 0.8}
    )
    generate(params, tmp_path / "set")
    table = read_annotations("identity_clothing", tmp_path / "set")
    clothing = read_clothing("identity_clothing", tmp_path / "set", table)
    members = {member.pid: member for member in members_of(params)}
    assert clothing["image_id"].tolist() == list(range(23 * 2))
    raw_id_of = dict(zip(table["pid"], table["raw_id"], strict=True))
    for name in ("person", "outfit"):
        pairs = {
            (number, getattr(members[raw_id_of[pid]], name))
            for pid, number in clothing[["pid", name]].itertuples(index=False)
        }
        ours, theirs = zip(*pairs, strict=True)
        assert len(set(ours)) == len(set(theirs)) == len(pairs)
        assert sorted(set(ours)) == list(range(len(pairs)))
    of_train = clothing[clothing["split"] == "train"]
    assert set(of_train["person"]) == set(range(of_train["person"].nunique()))
    assert (clothing["identity_caption"] != "").all()
    assert (clothing["clothing_caption"] != "").all()
    bodies = {members[raw_id_of[pid]].identity for pid in clothing["pid"]}
    assert clothing["body"].nunique() == len({body(identity) for identity in bodies})
    assert 0 < identity_ceiling(clothing, "test") <= identity_ceiling(clothing, "test", "person")
