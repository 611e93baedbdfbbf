"""Identity and clothing captions beside the annotations of another data set."""

import json

import pytest
from miniatures import write_icfg_pedes, write_identity_clothing, write_json

from ubg.data.annotations.table import read_annotations

IDENTITY, CLOTHING = "caption_id.json", "caption_cloth.json"


def edit(root, name, change):
    path = root / "annotations" / name
    records = json.loads(path.read_text(encoding="utf-8"))
    change(records)
    path.write_text(json.dumps(records), encoding="utf-8")


@pytest.mark.parametrize("strings", [False, True])
def test_every_row_has_the_two_captions_of_its_image(tmp_path, strings):
    root = write_identity_clothing(tmp_path, strings)
    table = read_annotations("identity_clothing", root)
    base = read_annotations("cuhk_pedes", root)
    assert table[base.columns].to_dict("list") == base.to_dict("list")
    assert list(table.columns) == [*base.columns, "identity_caption", "clothing_caption"]
    first = table.iloc[0]
    separator = ", " if strings else "\n"
    assert first["identity_caption"] == f"A young person, slim{separator}pedestrian 1"
    assert first["clothing_caption"] == "Wears a green coat"
    without = table[table["identity_caption"] == ""]["image_id"].unique().tolist()
    assert without == [3, 20]
    assert table[table["clothing_caption"] == ""]["image_id"].unique().tolist() == [4, 6]
    names = ("id_captions.json", "cloth_captions.json") if strings else (IDENTITY, CLOTHING)
    assert table.attrs["layout"] == f"reid_raw.json, {names[0]}, {names[1]}"
    assert table.attrs["notes"] == [
        f"{names[0]}: 0 images are not listed and 2 have an empty caption; they have none",
        f"{names[1]}: 1 images are not listed and 1 have an empty caption; they have none",
    ]


def test_captions_of_an_image_that_is_listed_again_are_added(tmp_path):
    root = write_identity_clothing(tmp_path)
    edit(root, CLOTHING, lambda records: records.append(dict(records[0], captions=["again"])))
    table = read_annotations("identity_clothing", root)
    assert table["clothing_caption"].iloc[0] == "Wears a green coat\nagain"


def test_they_may_lie_beside_icfg_pedes(tmp_path):
    root = write_icfg_pedes(tmp_path)
    folder = root / "annotations"
    records = json.loads((folder / "ICFG-PEDES.json").read_text(encoding="utf-8"))
    for name in (IDENTITY, CLOTHING):
        write_json(folder / name, [dict(record, captions=[name]) for record in records[:5]])
    table = read_annotations("identity_clothing", root)
    assert table["clothing_caption"].tolist()[:3] == [CLOTHING] * 3
    assert set(table["split"]) == {"train", "test"}


FAULTS = {
    "image of no base record": (
        lambda records: records[5].update(file_path="cam_a/none.png"),
        "record 5: image 'cam_a/none.png' is not in reid_raw.json; remove the record",
    ),
    "other identity": (
        lambda records: records[5].update(id=7),
        "is of identity 7 here and of 2 in reid_raw.json; correct one",
    ),
    "no captions": (
        lambda records: records[5].pop("captions"),
        "record 5: has no field 'captions'; add it",
    ),
    "caption no text": (
        lambda records: records[5].update(captions=["a", None]),
        "record 5: caption 1 is not text but null",
    ),
    "caption huge": (
        lambda records: records[5].update(captions=["a" * 20_001]),
        "record 5: caption 0 has 20,001 characters",
    ),
    "text no text": (
        lambda records: records[5].update(identity=["a"]),
        "record 5: 'identity' is not text but a list",
    ),
    "no object": (lambda records: records.__setitem__(5, []), "record 5: is not an object"),
    "path a list": (
        lambda records: records[5].update(file_path=[]),
        "record 5: 'file_path' is not text but a list",
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_fault_names_file_and_record(tmp_path, name):
    change, told = FAULTS[name]
    root = write_identity_clothing(tmp_path)
    edit(root, IDENTITY, change)
    with pytest.raises(ValueError, match=IDENTITY) as raised:
        read_annotations("identity_clothing", root)
    assert told in str(raised.value)
    assert "\n" not in str(raised.value)


def test_both_files_and_a_base_are_needed(tmp_path):
    root = write_identity_clothing(tmp_path)
    folder = root / "annotations"
    (folder / "reid_raw.json").rename(folder / "raw.json")
    with pytest.raises(ValueError, match=r"has no annotations; put reid_raw\.json or .* there"):
        read_annotations("identity_clothing", root)
    (folder / CLOTHING).unlink()
    with pytest.raises(ValueError, match=r"caption_cloth\.json: is missing beside caption_id"):
        read_annotations("identity_clothing", root)
