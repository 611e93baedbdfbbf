"""Crossings against a loop that sorts, and by hand."""

import numpy as np

from ubg.disentanglement.crossings import QUERIES_AT_ONCE, cross


def naive(features, sought, pids):
    found = []
    for query in range(len(features)):
        gallery = [i for i in range(len(features)) if pids[i] != pids[query]]
        ranked = sorted(gallery, key=lambda i: (-(features[query] @ features[i]), i))
        hits = [sought[i] == sought[query] for i in ranked]
        if any(hits):
            ranks = [rank for rank, hit in enumerate(hits, 1) if hit]
            precision = np.mean([number / rank for number, rank in enumerate(ranks, 1)])
            found.append((query, ranks[0], precision, len(ranks) / len(gallery)))
    return [np.array(column) for column in zip(*found, strict=True)]


def test_by_hand():
    """Person 7 in outfits 0 and 1, person 8 in outfit 1 alone, person 9 in outfit 2.

    Image 0 asks for its person: its own outfit (image 1) is nobody to find, 4 is nearest, then 2.
    """
    angles = np.radians([0, 1, 30, 40, 5])
    features = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    persons, pids = np.array([7, 7, 7, 8, 9]), np.array([0, 0, 1, 2, 3])
    crossing = cross(features, persons, pids)
    np.testing.assert_array_equal(crossing.query_Q, [0, 1, 2])
    # Image 2 sees 3 at 10 degrees, 4 at 25, 1 at 29, 0 at 30.
    np.testing.assert_array_equal(crossing.first_rank_Q, [2, 2, 3])
    np.testing.assert_allclose(crossing.average_precision_Q, [1 / 2, 1 / 2, (1 / 3 + 2 / 4) / 2])
    np.testing.assert_allclose(crossing.chance_Q, [1 / 3, 1 / 3, 2 / 4])
    outfits = np.array([0, 0, 1, 1, 2])
    crossing = cross(features, outfits, pids)
    np.testing.assert_array_equal(crossing.query_Q, [2, 3])
    np.testing.assert_array_equal(crossing.first_rank_Q, [1, 1])
    assert crossing.values()["r1"].tolist() == [100, 100]
    assert crossing.values()["map"].tolist() == [100, 100]


def test_as_sorted_one_by_one_with_ties():
    rng = np.random.default_rng(0)
    count = QUERIES_AT_ONCE + 40
    persons, outfits = rng.integers(0, 40, count), rng.integers(0, 60, count)
    pids = persons * 60 + outfits
    features = rng.choice([-0.5, 0.5], size=(count, 4))  # their products are exact
    for sought in (persons, outfits):
        crossing = cross(features, sought, pids)
        query, rank, precision, chance = naive(features, sought, pids)
        np.testing.assert_array_equal(crossing.query_Q, query)
        np.testing.assert_array_equal(crossing.first_rank_Q, rank)
        np.testing.assert_allclose(crossing.average_precision_Q, precision)
        np.testing.assert_allclose(crossing.chance_Q, chance)


def test_nobody_has_another_outfit():
    numbers = np.arange(6)
    assert cross(np.eye(6), numbers, numbers) is None
