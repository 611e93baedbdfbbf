import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ubg.data.samplers import RandomSampler, batches_by_length

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
    parts = [RandomSampler(size, batch_size, 3, rank, world_size) for rank in range(world_size)]
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


@given(lengths=st.lists(st.integers(1, 30)), batch_size=st.integers(1, 7))
def test_evaluation_goes_through_all_samples_by_length(lengths, batch_size):
    batches = list(batches_by_length(np.array(lengths, np.int64), batch_size))
    assert all(len(batch) == batch_size for batch in batches[:-1])
    order = [int(row) for batch in batches for row in batch]
    assert order == sorted(range(len(lengths)), key=lambda row: (lengths[row], row))
