"""A carved validation split: whole identities of training, by seed and ids alone."""

import pandas as pd
import pytest

from ubg.data.annotations.carve import carve_validation


def table_of(raw_ids, splits):
    ids = {raw_id: pid for pid, raw_id in enumerate(dict.fromkeys(raw_ids))}
    return pd.DataFrame(
        {
            "split": splits,
            "pid": [ids[raw_id] for raw_id in raw_ids],
            "raw_id": raw_ids,
            "image_id": range(len(raw_ids)),
            "caption": [f"caption {i}" for i in range(len(raw_ids))],
        }
    )


RAW_IDS = [10, 10, 11, 12, 12, 12, 13, 14, 15, 20, 20, 21]
TABLE = table_of(RAW_IDS, ["train"] * 9 + ["test"] * 3)


@pytest.mark.parametrize("seed", range(5))
def test_identities_move_whole_and_numbers_are_contiguous(seed):
    carved, moved = carve_validation(TABLE, 2, seed)
    assert len(moved) == 2
    assert moved == sorted(moved)
    val = carved[carved["split"] == "val"]
    assert sorted(val["raw_id"].unique()) == moved
    assert len(val) == sum(raw_id in moved for raw_id in RAW_IDS)
    assert (carved["raw_id"] == TABLE["raw_id"]).all()
    assert carved.loc[TABLE["split"] == "test", "split"].eq("test").all()
    for split, pids in {"train": range(4), "val": range(4, 6), "test": range(6, 8)}.items():
        rows = carved[carved["split"] == split]
        assert sorted(rows["pid"].unique()) == list(pids)
        assert rows.drop_duplicates("pid").sort_values("raw_id")["pid"].is_monotonic_increasing


def test_order_of_the_file_does_not_matter_and_the_seed_does():
    _, moved = carve_validation(TABLE, 2, 1)
    _, again = carve_validation(TABLE[::-1].reset_index(drop=True), 2, 1)
    assert again == moved
    assert {tuple(carve_validation(TABLE, 2, seed)[1]) for seed in range(20)} > {tuple(moved)}


def test_the_draw_of_a_seed_is_the_same_for_good():
    table = table_of(list(range(100)), ["train"] * 100)
    assert carve_validation(table, 5, 0)[1] == [3, 11, 13, 20, 92]


def test_input_stays_as_it_was():
    before = TABLE.copy()
    carve_validation(TABLE, 2, 0)
    pd.testing.assert_frame_equal(TABLE, before)


def test_ids_may_be_text():
    names = ["zoe", "ann", "bob", "eve"]
    carved, moved = carve_validation(table_of(names, ["train"] * 4), 1, 0)
    assert moved[0] in names
    assert carved.set_index("raw_id").loc[moved[0], "pid"] == 3


def test_split_that_is_there_or_would_take_too_much_is_refused():
    with pytest.raises(ValueError, match="the files hold a validation split; remove carve_val"):
        carve_validation(table_of([1, 2, 3], ["train", "train", "val"]), 1, 0)
    with pytest.raises(ValueError, match="5 of 6 training identities leave less than two"):
        carve_validation(TABLE, 5, 0)
