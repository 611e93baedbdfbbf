"""CUHK-PEDES in each of its layouts, with all that is odd in the files."""

import json

import pytest
from miniatures import ODD_CAPTIONS, SHARED_CAPTION, write_cuhk_pedes

from ubg.data.annotations.table import read_annotations


@pytest.fixture
def expected(tmp_path):
    root = write_cuhk_pedes(tmp_path / "expected")
    return read_annotations("cuhk_pedes", root)


def edit(path, change):
    content = json.loads(path.read_text(encoding="utf-8"))
    change(content)
    path.write_text(json.dumps(content), encoding="utf-8")


def test_miniature_holds_what_the_files_are_known_for(expected):
    images = expected.drop_duplicates("image_id")
    assert expected.attrs["layout"] == "reid_raw.json"
    assert expected.attrs["notes"] == []
    by_split = expected.groupby("split")["raw_id"].agg(["min", "max", "nunique"])
    assert by_split.loc["train"].tolist() == [1, 8, 8]
    assert by_split.loc["val"].tolist() == [9, 11, 3]
    assert by_split.loc["test"].tolist() == [12, 15, 4]
    captions_of = expected.groupby(["split", "image_id"]).size()
    assert captions_of["val"].value_counts().to_dict() == {2: 8, 4: 1}
    assert captions_of["test"].value_counts().to_dict() == {2: 9, 10: 1}
    assert set(images["image_path"].str.rpartition(".")[2]) == {"png", "jpg", "bmp"}
    assert (images.groupby("pid").size() == 1).sum() == 2
    assert set(ODD_CAPTIONS) <= set(expected["caption"])
    assert expected.loc[expected["caption"] == SHARED_CAPTION, "pid"].nunique() == 2
    (repeated,) = expected.attrs["repeated"]
    assert (expected["image_id"] == repeated).sum() == 3
    assert expected.attrs["records"] == len(images) + 1


def test_a_file_for_each_split_gives_the_same_records(tmp_path, expected):
    root = write_cuhk_pedes(tmp_path / "data", "train_reid.json")
    table = read_annotations("cuhk_pedes", root)
    assert table.attrs["layout"] == "train_reid.json, val_reid.json, test_reid.json"
    assert table.to_dict("list") == expected.to_dict("list")
    assert table.attrs["records"] == expected.attrs["records"]


def test_a_record_for_each_caption_gives_the_same_images(tmp_path, expected):
    root = write_cuhk_pedes(tmp_path / "data", "train.json")
    table = read_annotations("cuhk_pedes", root)
    assert (table["raw_id"] + 1).tolist() == expected["raw_id"].tolist()
    same = ["split", "pid", "image_id", "image_path", "caption_id", "caption"]
    assert table[same].to_dict("list") == expected[same].to_dict("list")
    assert table.attrs["records"] == expected.attrs["records"]


def test_file_without_splits_has_them_drawn_and_says_so(tmp_path, expected):
    root = write_cuhk_pedes(tmp_path / "data", "caption_all.json")
    table = read_annotations("cuhk_pedes", root)
    (note,) = table.attrs["notes"]
    assert "1 identities were drawn for validation and 1 for the test (seed 0)" in note
    assert "no published result compares" in note
    assert table.groupby("split")["pid"].nunique().to_dict() == {"train": 13, "val": 1, "test": 1}
    assert sorted(table["caption"]) == sorted(expected["caption"])
    path = root / "annotations" / "caption_all.json"
    edit(path, lambda records: records.reverse())
    again = read_annotations("cuhk_pedes", root)
    split_of = table.groupby("raw_id")["split"].first()
    assert again.groupby("raw_id")["split"].first().equals(split_of)


def test_copy_of_that_file_with_splits_keeps_them(tmp_path, expected):
    root = write_cuhk_pedes(tmp_path / "data")
    folder = root / "annotations"
    (folder / "reid_raw.json").rename(folder / "caption_all.json")
    table = read_annotations("cuhk_pedes", root)
    assert table.to_dict("list") == expected.to_dict("list")
    assert table.attrs["notes"] == []


FAULTS = {
    "record of another split": (
        "train_reid.json",
        "val_reid.json",
        lambda records: records[1].update(split="test"),
        "val_reid.json, record 1: split is 'test' in a file of val; move the record",
    ),
    "identity in two files": (
        "train_reid.json",
        "val_reid.json",
        lambda records: records[0].update(id=3),
        "identity 3 is in val here and in train at {folder}/train_reid.json, record 6; give it",
    ),
    "split file without records": (
        "train_reid.json",
        "test_reid.json",
        lambda records: records.clear(),
        "test_reid.json: has no records; fetch",
    ),
    "no sentence": (
        "train.json",
        "val.json",
        lambda content: content["annotations"][2].pop("sentence"),
        "val.json, record 2: has no field 'sentence'; add it",
    ),
    "blank sentence": (
        "train.json",
        "val.json",
        lambda content: content["annotations"][2].update(sentence="\n"),
        "val.json, record 2: 'sentence' is empty; give one or remove it",
    ),
    "no annotations": (
        "train.json",
        "val.json",
        lambda content: content.pop("annotations"),
        "val.json: has no records under 'annotations'; fetch",
    ),
    "only some records with a split": (
        "caption_all.json",
        "caption_all.json",
        lambda records: records[0].update(split="train"),
        "faulty records (41):",
    ),
    "two identities to draw from": (
        "caption_all.json",
        "caption_all.json",
        lambda records: records.__setitem__(slice(6, None), []),
        "record 0: is one of 2 identities; give three",
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_fault_of_another_layout_names_file_and_record(tmp_path, name):
    layout, file, change, told = FAULTS[name]
    root = write_cuhk_pedes(tmp_path / "data", layout)
    folder = root / "annotations"
    edit(folder / file, change)
    with pytest.raises(ValueError, match=r"\.json") as raised:
        read_annotations("cuhk_pedes", root)
    assert told.format(folder=folder) in str(raised.value)


@pytest.mark.parametrize(
    ("names", "told"),
    [
        ([], "has no annotations; put reid_raw.json or train_reid.json + val_reid.json"),
        (["reid_raw.json", "caption_all.json"], "reid_raw.json and caption_all.json are two"),
        (["train_reid.json", "test_reid.json"], "val_reid.json: is missing beside train_reid.json"),
        (["reid_raw.JSON"], "has no annotations; put reid_raw.json or "),
    ],
)
def test_which_files_are_there_is_told(tmp_path, names, told):
    root = write_cuhk_pedes(tmp_path / "data")
    folder = root / "annotations"
    content = (folder / "reid_raw.json").read_bytes()
    (folder / "reid_raw.json").unlink()
    for name in names:
        (folder / name).write_bytes(content)
    with pytest.raises(ValueError, match="annotations") as raised:
        read_annotations("cuhk_pedes", root)
    assert told in str(raised.value)
    assert "\n" not in str(raised.value)
