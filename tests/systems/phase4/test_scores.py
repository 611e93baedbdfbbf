"""Whose captions are shown, and what is said of the predictions."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_held_out import held_out_table

from ubg.systems.phase4.scores import captions_of_others, generation_metrics, own_captions


def test_own_captions_are_those_of_the_rows():
    table = held_out_table()
    np.testing.assert_array_equal(own_captions(table), np.arange(len(table)))


@settings(deadline=None)
@given(st.lists(st.integers(0, 6), min_size=2, max_size=60))
def test_exchanged_captions_are_of_others_and_come_once_each(pids):
    table = pd.DataFrame({"pid": pids})
    if 2 * max(pids.count(pid) for pid in pids) > len(pids):
        with pytest.raises(ValueError, match="captions cannot be exchanged between identities"):
            captions_of_others(table)
        return
    rows = captions_of_others(table)
    assert sorted(rows) == list(range(len(pids)))
    assert all(pids[row] != pid for row, pid in zip(rows, pids, strict=True))


def test_too_large_an_identity_is_counted_in_the_message():
    with pytest.raises(ValueError, match="one has 3 of 5 samples"):
        captions_of_others(pd.DataFrame({"pid": [4, 4, 9, 4, 2]}))


def test_metrics_by_hand():
    values = {
        "ce": np.array([1.0, 2.0, 3.0, 4.0]),
        "accuracy": np.array([1.0, 0.0, 0.0, 1.0]),
        "shuffled_caption_ce": np.array([2.0, 3.0, 3.0, 4.0]),
        "unigram_ce": np.full(4, 6.0),
        "position_unigram_ce": np.full(4, 5.0),
    }
    found = generation_metrics(values, np.array([0, 0, 1, 1]))
    assert found["ce"] == 2.5
    assert found["accuracy"] == 50
    assert found["shuffled_caption_gap"] == 0.5
    assert found["below_floor"] == 2.5
    assert not any(name.endswith(("_low", "_high")) for name in found)  # of two identities

    many = {name: np.tile(values, 20) for name, values in values.items()}
    twenty = np.arange(80) // 4
    found = generation_metrics(many, twenty)
    assert not any(name.endswith(("_low", "_high")) for name in found)  # all of them alike
    for name in ("shuffled_caption_ce", "position_unigram_ce"):
        many[name] += twenty % 2  # nats more for every second identity
    found = generation_metrics(many, twenty)
    for name, mean in (("shuffled_caption_gap", 1.0), ("below_floor", 3.0)):
        assert mean - 0.5 < found[f"{name}_low"] < found[name] == mean < found[f"{name}_high"]
