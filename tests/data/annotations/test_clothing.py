"""Captions by image; persons, outfits and bodies where a file tells, else one outfit each."""

import json

import pandas as pd
import pytest
from miniatures import write_cuhk_pedes, write_identity_clothing

from ubg.data.annotations.clothing import read_clothing
from ubg.data.annotations.table import read_annotations
from ubg.data.clothing import UNKNOWN, identity_ceiling, load_clothing
from ubg.data.prepared import write_table


@pytest.mark.parametrize("strings", [False, True])
@pytest.mark.parametrize("format", ["identity_clothing", "cuhk_pedes"])
def test_both_layouts_give_a_row_per_image_whatever_reads_the_base(tmp_path, strings, format):
    root = write_identity_clothing(tmp_path / "set", strings=strings)
    captioned = read_annotations("identity_clothing", root).drop_duplicates("image_id")
    clothing = read_clothing(format, root, read_annotations(format, root))
    assert clothing["image_id"].is_unique
    for column in ("pid", "image_id", "identity_caption", "clothing_caption"):
        assert clothing[column].tolist() == captioned[column].tolist()
    assert clothing["person"].tolist() == clothing["outfit"].tolist() == clothing["pid"].tolist()
    assert set(clothing["body"]) == {UNKNOWN}
    write_table(clothing, tmp_path / "clothing.csv")
    assert load_clothing(tmp_path).to_dict("list") == clothing.to_dict("list")


def test_a_data_set_without_such_captions_has_none(tmp_path):
    root = write_cuhk_pedes(tmp_path / "set")
    assert read_clothing("cuhk_pedes", root, read_annotations("cuhk_pedes", root)) is None
    with pytest.raises(ValueError, match=r"clothing\.csv: cannot be read .* only data sets with"):
        load_clothing(tmp_path)


def attributes(root, change):
    table = read_annotations("identity_clothing", root)
    rows = [
        {"id": int(raw_id), "person": 100 - int(raw_id) // 2, "outfit": int(raw_id), "body": 7}
        for raw_id in table["raw_id"].unique()
    ]
    change(rows)
    content = {"identities": rows, "images": [{"anything": 1}]}
    (root / "annotations/attributes.json").write_text(json.dumps(content))
    return table


def test_persons_of_the_file_are_numbered_over_the_splits(tmp_path):
    root = write_identity_clothing(tmp_path / "set")
    table = attributes(root, lambda rows: None)
    clothing = read_clothing("identity_clothing", root, table)
    persons = clothing.sort_values("pid")["person"].tolist()
    assert persons == sorted(persons)
    assert sorted(set(persons)) == list(range(len(set(persons))))
    raw_ids = dict(zip(table["pid"], table["raw_id"], strict=True))
    for person, of_person in clothing.groupby("person"):
        assert len({raw_ids[pid] // 2 for pid in of_person["pid"]}) == 1, person
    assert set(clothing["body"]) == {7}


FAULTS = {
    "person as text": (
        lambda rows: rows[1].update(person="x"),
        "record 1: 'person' is not a",
    ),
    "no body": (lambda rows: rows[2].pop("body"), "record 2: has no field 'body'; add it"),
    "too large": (lambda rows: rows[0].update(outfit=2**40), "record 0: id 1099511627776 is not"),
    "an identity missing": (lambda rows: rows.pop(), "has no identity 15 (1 are missing)"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_fault_of_the_file_is_told_in_a_line(tmp_path, name):
    change, told = FAULTS[name]
    root = write_identity_clothing(tmp_path / "set")
    table = attributes(root, change)
    with pytest.raises(ValueError, match=r"attributes\.json") as raised:
        read_clothing("identity_clothing", root, table)
    assert told in str(raised.value)
    assert "\n" not in str(raised.value)


def test_ceiling_of_identity_captions_by_hand():
    """Body 1 is of identities 0 and 1, persons 0 and 1; body 2 of identities 2 and 3, person 2."""
    clothing = pd.DataFrame(
        {
            "split": "test",
            "pid": [0, 0, 0, 1, 2, 3],
            "person": [0, 0, 0, 1, 2, 2],
            "body": [1, 1, 1, 1, 2, 2],
            "image_id": range(6),
        }
    )
    by_identity = 100 * (3 * 3 / 4 + 1 / 4 + 1 / 2 + 1 / 2) / 6
    by_person = 100 * (3 * 3 / 4 + 1 / 4 + 1 + 1) / 6
    assert identity_ceiling(clothing, "test") == pytest.approx(by_identity)
    assert identity_ceiling(clothing, "test", "person") == pytest.approx(by_person)
