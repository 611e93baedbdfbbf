"""Exchanged captions: as many as asked for, all of training, none with its own identity."""

from collections import Counter

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ubg.data.annotations.noise import exchange_by_index, exchange_captions


def table_of(pids, splits=None, **texts):
    count = len(pids)
    return pd.DataFrame(
        {
            "split": splits or ["train"] * count,
            "pid": pids,
            "caption_id": range(count),
            "caption": [f"caption {i}" for i in range(count)],
            **texts,
        }
    )


def exchanged(noisy):
    return noisy[noisy["caption_of"] != noisy["caption_id"]]


def assert_noisy(table, noisy, count):
    """The definition, row by row."""
    moved = exchanged(noisy)
    assert len(moved) == count
    assert sorted(noisy["caption_of"]) == table["caption_id"].tolist()
    assert set(moved["split"]) == {"train"}
    for row in noisy.itertuples():
        source = table.loc[row.caption_of]
        assert row.caption == source["caption"]
        if row.caption_of != row.caption_id:
            assert source["pid"] != row.pid
    rest = [name for name in table.columns if name != "caption"]
    pd.testing.assert_frame_equal(noisy[rest], table[rest])


@settings(deadline=None, max_examples=100)
@given(
    sizes=st.lists(st.integers(1, 6), min_size=2, max_size=12),
    rate=st.floats(0.1, 1.0),
    seed=st.integers(0, 2**31),
)
def test_any_table_is_exchanged_as_defined_or_refused(sizes, rate, seed):
    pids = [pid for pid, size in enumerate(sizes) for _ in range(size)]
    table = table_of([*pids, 98, 99], ["train"] * len(pids) + ["val", "test"])
    try:
        noisy = exchange_captions(table, rate, seed)
    except ValueError:
        return
    assert_noisy(table, noisy, round(rate * len(pids)))


@pytest.mark.parametrize("rate", [0.2, 0.5, 1.0])
def test_rate_is_the_share_of_training_captions(rate):
    table = table_of(np.repeat(np.arange(250), 4).tolist())
    assert_noisy(table, exchange_captions(table, rate, 3), round(rate * 1000))


def test_two_identities_of_equal_size_change_places_whole():
    noisy = exchange_captions(table_of([0] * 5 + [1] * 5), 1.0, 0)
    assert set(noisy.loc[:4, "caption_of"]) == {5, 6, 7, 8, 9}


def test_every_caption_of_another_identity_is_as_likely():
    """Counted over seeds; a rotation or a swap of neighbours would prefer some."""
    table = table_of([0, 0, 1, 1, 2, 2])
    landed = Counter(
        int(exchange_captions(table, 1.0, seed)["caption_of"][0]) for seed in range(2000)
    )
    assert set(landed) == {2, 3, 4, 5}
    assert max(landed.values()) < 1.25 * min(landed.values())


def test_seed_alone_decides_and_the_numbers_never_change():
    table = table_of([0, 0, 1, 1, 2, 2, 3, 3])
    once, again = (exchange_captions(table, 0.5, 7) for _ in range(2))
    pd.testing.assert_frame_equal(once, again)
    assert not once.equals(exchange_captions(table, 0.5, 8))


def test_all_texts_of_a_row_move_together():
    table = table_of([0, 1, 2, 3])
    table["identity_caption"] = [f"identity {i}" for i in range(4)]
    table["clothing_caption"] = [f"clothing {i}" for i in range(4)]
    noisy = exchange_captions(table, 1.0, 0)
    for row in noisy.itertuples():
        assert row.identity_caption == f"identity {row.caption_of}"
        assert row.clothing_caption == f"clothing {row.caption_of}"


@pytest.mark.parametrize(
    ("pids", "rate", "expected"),
    [
        ([0, 1, 2, 3], 0.2, "noise.rate: 0.2 of 4 training captions is 1, too few"),
        ([0, 0, 0, 1], 1.0, "chooses 4 training captions, 3 of them of one identity"),
    ],
)
def test_what_cannot_be_exchanged_is_refused(pids, rate, expected):
    with pytest.raises(ValueError, match=expected):
        exchange_captions(table_of(pids), rate, 0)


def published(folder, count, rate):
    """A file as RDE's code draws and saves it: whole captions of a share, shuffled among them."""
    generator = np.random.default_rng(0)
    chosen = generator.permutation(count)[: int(rate * count)]
    index = np.arange(count)
    index[chosen] = generator.permutation(chosen)
    np.save(folder / f"DATA_{rate}.npy", index)
    return folder / f"DATA_{rate}.npy", index


def test_published_permutation_is_taken_as_it_is(tmp_path):
    """Numbers count the training captions alone, wherever the others stand."""
    splits = ["test", *["train"] * 100, "val", *["train"] * 100]
    table = table_of([*range(202)], splits, identity_caption=[f"identity {i}" for i in range(202)])
    path, index = published(tmp_path, 200, 0.5)
    noisy = exchange_by_index(table, path, 0.5)
    training, clean = noisy[noisy["split"] == "train"], table[table["split"] == "train"]
    assert training["caption"].tolist() == clean["caption"].iloc[index].tolist()
    assert training["identity_caption"].tolist() == clean["identity_caption"].iloc[index].tolist()
    assert training["caption_of"].tolist() == clean["caption_id"].iloc[index].tolist()
    pd.testing.assert_frame_equal(
        noisy.loc[noisy["split"] != "train", table.columns], table[table["split"] != "train"]
    )


@pytest.mark.parametrize(
    ("array", "expected"),
    [
        (np.arange(199), "has 199 numbers where there are 200 training captions; take the file"),
        (np.arange(1, 201), "does not name each of the 200 training captions once, from 0; take"),
        (np.zeros(200, int), "does not name each of the 200 training captions once"),
        (np.arange(200.0), "is no list of whole numbers; take the file"),
        (np.arange(200)[:, None], "is no list of whole numbers"),
        (np.array([None]), "cannot be read: no array that NumPy saved without objects; put"),
        (
            np.arange(200)[::-1],
            r"rate: 0.5 where .*x.npy moves 200 of 200 .*; set noise.rate to 1$",
        ),
    ],
)
def test_what_is_no_permutation_of_the_training_captions_is_refused(tmp_path, array, expected):
    np.save(tmp_path / "x.npy", array)
    with pytest.raises(ValueError, match=expected) as raised:
        exchange_by_index(table_of([*range(200)]), tmp_path / "x.npy", 0.5)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("content", "expected"), [(b"", "no array"), (b"PK", "no array"), (None, "No such file")]
)
def test_permutation_that_cannot_be_read_is_named(tmp_path, content, expected):
    if content is not None:
        (tmp_path / "x.npy").write_bytes(content)
    with pytest.raises(ValueError, match=rf"noise.index: .*x.npy: cannot be read: {expected}"):
        exchange_by_index(table_of([*range(200)]), tmp_path / "x.npy", 0.5)
