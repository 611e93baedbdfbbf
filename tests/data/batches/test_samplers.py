import math
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
import sections
from hypothesis import given
from hypothesis import strategies as st

from ubg.data.batches.samplers import (
    IdentitySampler,
    RandomSampler,
    Share,
    batches_by_length,
    make_sampler,
)

sizes = st.integers(1, 200)


@given(size=sizes, batch_size=st.integers(1, 20), seed=st.integers(0, 9), epoch=st.integers(0, 9))
def test_an_epoch_holds_every_sample_at_most_once_in_full_batches(size, batch_size, seed, epoch):
    if size < batch_size:
        with pytest.raises(ValueError, match=r"batch_size: .* is more than"):
            RandomSampler(size, batch_size, seed)
        return
    sampler = RandomSampler(size, batch_size, seed)
    batches = list(sampler.epoch(epoch))
    assert len(batches) == sampler.steps == size // batch_size
    assert {len(batch) for batch in batches} == {batch_size}
    seen = np.concatenate(batches)
    assert len(np.unique(seen)) == len(seen)
    assert set(seen) <= set(range(size))


@given(size=sizes, batch_size=st.integers(1, 8), world_size=st.integers(1, 4))
def test_processes_together_take_the_batches_of_one(size, batch_size, world_size):
    whole = batch_size * world_size
    if size < whole:
        return
    parts = [
        RandomSampler(size, batch_size, 3, Share(rank, world_size)) for rank in range(world_size)
    ]
    steps = zip(*(part.epoch(2) for part in parts), strict=True)
    together = [np.concatenate(step) for step in steps]
    np.testing.assert_array_equal(together, list(RandomSampler(size, whole, 3).epoch(2)))


@given(size=sizes, start_step=st.integers(0, 30))
def test_starting_at_a_step_gives_the_rest_of_the_epoch(size, start_step):
    sampler = RandomSampler(size, 1 + size // 10, 5)
    rest = list(sampler.epoch(1, start_step))
    np.testing.assert_array_equal(rest, list(sampler.epoch(1))[start_step:])


def test_seed_and_epoch_change_the_order_and_nothing_else_does():
    first = np.concatenate(list(RandomSampler(100, 10, seed=1).epoch(0)))
    np.testing.assert_array_equal(
        first, np.concatenate(list(RandomSampler(100, 20, seed=1).epoch(0)))
    )
    for sampler, epoch in ((RandomSampler(100, 10, seed=1), 1), (RandomSampler(100, 10, 2), 0)):
        other = np.concatenate(list(sampler.epoch(epoch)))
        assert (first == other).mean() < 0.1
        assert set(other) == set(first)


@st.composite
def tables(draw):
    """Identities and images of captions in any order: 1 to 4 images each of 1 to 3 captions."""
    pids, image_ids = [], []
    for identity in range(draw(st.integers(6, 20))):
        for image in range(draw(st.integers(1, 4))):
            captions = draw(st.integers(1, 3))
            pids += [10 * identity] * captions
            image_ids += [100 * identity + image] * captions
    order = draw(st.permutations(range(len(pids))))
    return np.array(pids)[order], np.array(image_ids)[order]


def occurrences(values):
    return np.unique(values, return_counts=True)[1]


@given(table=tables(), per_step=st.integers(1, 3), k=st.integers(1, 6), epoch=st.integers(0, 3))
@pytest.mark.parametrize("world_size", [1, 2])
def test_identity_batches_hold_k_captions_of_each_of_their_identities(
    table, world_size, per_step, k, epoch
):
    pids, image_ids = table
    parts = [
        IdentitySampler(pids, image_ids, per_step * k, k, 3, Share(rank, world_size))
        for rank in range(world_size)
    ]
    identities = len(np.unique(pids))
    assert parts[0].size == len(pids)
    assert parts[0].steps == math.ceil(identities / (per_step * world_size))
    seen = []
    for shares in zip(*(part.epoch(epoch) for part in parts), strict=True):
        assert {len(rows) for rows in shares} == {per_step * k}
        groups = np.concatenate(shares).reshape(-1, k)
        drawn = pids[groups[:, 0]]
        assert len(set(drawn)) == len(drawn)
        assert (pids[groups] == drawn[:, None]).all()
        for rows in groups:
            # As even as can be over the images, and over the captions of each image.
            own = np.unique(image_ids[pids == pids[rows[0]]])
            times = occurrences(image_ids[rows])
            assert len(times) == min(k, len(own))
            assert times.max() - times.min() <= 1
            for image in set(image_ids[rows]):
                times = occurrences(rows[image_ids[rows] == image])
                captions = (image_ids == image).sum()
                assert len(times) == min(times.sum(), captions)
                assert times.max() - times.min() <= 1
        seen += drawn.tolist()
    assert len(seen) == parts[0].steps * per_step * world_size
    assert set(seen[:identities]) == set(pids)
    assert seen[identities:] == seen[: len(seen) - identities]


def identity_sampler(identities=12, batch_size=6, k=2, seed=1, rank=0, world_size=1):
    """Three images of two captions each."""
    pids = np.repeat(np.arange(identities), 6)
    image_ids = np.repeat(np.arange(3 * identities), 2)
    return IdentitySampler(pids, image_ids, batch_size, k, seed, Share(rank, world_size))


@pytest.mark.parametrize("world_size", [2, 3])
def test_processes_together_take_the_identity_batches_of_one(world_size):
    for identities in (12, 13):
        parts = [identity_sampler(identities, 4, 2, 1, r, world_size) for r in range(world_size)]
        steps = zip(*(part.epoch(2) for part in parts), strict=True)
        together = [np.concatenate(step) for step in steps]
        whole = identity_sampler(identities, 4 * world_size)
        np.testing.assert_array_equal(together, list(whole.epoch(2)))


def test_identity_epochs_differ_and_start_anywhere():
    sampler = identity_sampler(identities=13)
    first = list(sampler.epoch(0))
    np.testing.assert_array_equal(list(sampler.epoch(0)), first)
    np.testing.assert_array_equal(list(sampler.epoch(0, 2)), first[2:])
    assert list(sampler.epoch(0, sampler.steps)) == []
    for other in (sampler.epoch(1), identity_sampler(13, seed=2).epoch(0)):
        assert (np.concatenate(list(other)) == np.concatenate(first)).mean() < 0.4


def test_too_few_identities_are_refused():
    with pytest.raises(ValueError, match="needs 4 identities of 2 images, there are 3"):
        identity_sampler(identities=3, batch_size=4, world_size=2)


@given(lengths=st.lists(st.integers(1, 30)), batch_size=st.integers(1, 7))
def test_evaluation_goes_through_all_samples_by_length(lengths, batch_size):
    batches = list(batches_by_length(np.array(lengths, np.int64), batch_size))
    order = [int(row) for batch in batches for row in batch]
    assert order == sorted(range(len(lengths)), key=lambda row: (lengths[row], row))
    most = batch_size * sum(lengths)  # both sides times the number of samples
    for batch in batches:
        assert len(batch) == 1 or len(batch) * lengths[batch[-1]] * len(lengths) <= most
    for batch, following in pairwise(batches):
        assert (len(batch) + 1) * lengths[following[0]] * len(lengths) > most


def test_evaluation_batches_by_hand():
    # 24 tokens on average: a batch of two may hold 48, and a single sample may be longer still.
    batches = batches_by_length(np.array([10, 60, 12, 16, 22, 24]), batch_size=2)
    assert [batch.tolist() for batch in batches] == [[0, 2, 3], [4, 5], [1]]
    batches = batches_by_length(np.full(7, 31), batch_size=3)
    assert [batch.tolist() for batch in batches] == [[0, 1, 2], [3, 4, 5], [6]]


ROWS = pd.DataFrame({"pid": [0, 0, 1, 1, 2, 2, 3, 3], "image_id": range(8)})


def of_settings(processes, rank=0, **settings):
    training = sections.training(epochs=1, precision="fp32", **settings)
    return make_sampler(ROWS, training, seed=3, share=Share(rank, processes))


@pytest.mark.parametrize(
    "settings", [{}, {"sampler": "identity", "images_per_identity": 2}], ids=["random", "identity"]
)
def test_processes_share_every_batch_in_order(settings):
    whole = of_settings(1, batch_size=4, **settings)
    shares = [of_settings(2, rank, batch_size=4, **settings) for rank in range(2)]
    together = zip(*(share.epoch(0) for share in shares), strict=True)
    assert [[*first, *second] for first, second in together] == [list(b) for b in whole.epoch(0)]


@pytest.mark.parametrize(
    ("settings", "multiple"),
    [
        ({"batch_size": 4}, 3),
        ({"batch_size": 6, "sampler": "identity", "images_per_identity": 3}, 9),
    ],
)
def test_a_batch_that_cannot_be_shared_is_refused(settings, multiple):
    expected = (
        f"batch_size: {settings['batch_size']} cannot be shared by 3 .* multiple of {multiple}"
    )
    with pytest.raises(ValueError, match=expected):
        of_settings(3, **settings)
