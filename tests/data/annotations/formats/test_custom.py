"""A CSV or JSONL file of one's own."""

import json

import pytest
from miniatures import ODD_CAPTIONS, write_custom

from ubg.data.annotations.table import read_annotations
from ubg.data.prepared import load_prepared, write_table


def test_csv_and_jsonl_give_the_same_table(tmp_path):
    tables = [
        read_annotations("custom", write_custom(tmp_path / suffix, f"annotations.{suffix}"))
        for suffix in ("csv", "jsonl")
    ]
    table = tables[0]
    assert table.to_dict("list") == tables[1].to_dict("list")
    assert list(table.columns)[-1] == "caption"
    assert table.groupby("split")["pid"].nunique().to_dict() == {"train": 6, "val": 2, "test": 3}
    assert table["raw_id"].iloc[0] == "person-00"
    assert len(table) == 44
    assert table["image_id"].nunique() == table.attrs["records"] == 22
    assert set(ODD_CAPTIONS) <= set(table["caption"])


def test_identities_may_be_numbers_and_stay_apart_as_written(tmp_path):
    root = write_custom(tmp_path, "annotations.jsonl")
    path = root / "annotations" / "annotations.jsonl"
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    for row, pid in zip(rows[:8], [7, 7, 7, 7, "07", "07", "07", "07"], strict=True):
        row["pid"] = pid
    path.write_text("\n".join(map(json.dumps, rows)))
    table = read_annotations("custom", root)
    assert table["raw_id"].tolist()[:8] == ["7"] * 4 + ["07"] * 4
    write_table(table, tmp_path / "annotations.csv")
    assert load_prepared(tmp_path).to_dict("list") == table.to_dict("list")


FAULTS = {
    "pid empty": ({"pid": ""}, "record 4: pid '' is empty, or has blanks at"),
    "pid with an edge": ({"pid": "anna "}, "record 4: pid 'anna ' is empty, or has blanks at"),
    "pid a control character": ({"pid": "a\x07"}, "record 4: pid 'a\\x07' is empty, or has"),
    "pid long": ({"pid": "a" * 201}, "record 4: pid has 201 characters, more than 200"),
    "split unknown": ({"split": "dev"}, "record 4: split 'dev' is unknown; allowed: train, val"),
    "caption blank": ({"caption": " "}, "record 4: caption is empty; give one or remove it"),
    "no image": ({"image_path": ""}, "record 4: image path '' should be '.'"),
    "image missing": ({"image_path": "no.png"}, "record 4: image 'no.png' is not in"),
    "image of another": ({"pid": "person-05"}, "is of identity person-01 here and of person-05"),
    "identity in two splits": ({"split": "val"}, "identity person-01 is in train here and in val"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_fault_names_file_and_record(tmp_path, name):
    change, told = FAULTS[name]
    root = write_custom(tmp_path, "annotations.jsonl")
    path = root / "annotations" / "annotations.jsonl"
    lines = path.read_text(encoding="utf-8").splitlines()
    lines[4] = json.dumps(json.loads(lines[4]) | change)
    path.write_text("\n".join(lines), encoding="utf-8")
    with pytest.raises(ValueError, match=r"annotations\.jsonl") as raised:
        read_annotations("custom", root)
    assert told in str(raised.value)


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (True, "'pid' is not a whole number but true or false"),
        (1.5, "'pid' is not text but a number"),
        (None, "'pid' is not text but null"),
    ],
)
def test_pid_that_is_neither_text_nor_number(tmp_path, value, told):
    root = write_custom(tmp_path, "annotations.jsonl")
    path = root / "annotations" / "annotations.jsonl"
    row = json.loads(path.read_text(encoding="utf-8").splitlines()[0])
    path.write_text(json.dumps(row | {"pid": value}))
    with pytest.raises(ValueError, match="record 0: ") as raised:
        read_annotations("custom", root)
    assert told in str(raised.value)


def test_file_without_records(tmp_path):
    root = write_custom(tmp_path)
    (root / "annotations" / "annotations.csv").write_text("image_path,caption,pid,split\n")
    with pytest.raises(ValueError, match=r"annotations\.csv: has no records; write one for each"):
        read_annotations("custom", root)
