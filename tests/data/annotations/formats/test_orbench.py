"""ORBench: the folder is the person, and a query is made of any of four modalities."""

import json

import pytest
from miniatures import ODD_CAPTIONS, query_kinds, write_orbench

from ubg.data.annotations.table import read_everything
from ubg.data.prepared import NO_IMAGE
from ubg.data.query_kinds import KINDS

TRAIN, TEST = "train_annos.json", "test_gallery_and_queries.json"


@pytest.fixture
def root(tmp_path):
    return write_orbench(tmp_path / "orbench")


def edit(root, name, change):
    path = root / "annotations" / name
    content = json.loads(path.read_text(encoding="utf-8"))
    change(content)
    path.write_text(json.dumps(content), encoding="utf-8")


def test_there_are_32_kinds_of_query():
    assert len(KINDS) == 32
    assert sorted(KINDS) == sorted(query_kinds())
    assert {"NIR", "TEXT+NIR", "CP+NIR+TEXT", "TEXT+NIR+CP+SK"} <= set(KINDS)


def test_training_images_have_captions_and_the_folder_for_identity(root):
    table = read_everything("orbench", root).table
    train = table[table["split"] == "train"]
    assert len(train) == 8 * 3
    assert set(train["raw_id"]) == {900 - 10 * identity for identity in range(8)}
    assert (train["image_path"].str.split("/").str[1].astype(int) == train["raw_id"]).all()
    assert (train["image_id"] >= 0).all()
    assert set(train["modality"]) == {"vis"}
    assert set(ODD_CAPTIONS) <= set(train["caption"])


def test_test_split_is_gallery_without_captions_and_texts_without_images(root):
    table = read_everything("orbench", root).table
    test = table[table["split"] == "test"]
    gallery, texts = test[test["caption"] == ""], test[test["image_id"] == NO_IMAGE]
    assert (len(gallery), len(texts), len(test)) == (12, 8, 20)
    assert set(gallery["modality"]) == {"vis"}
    assert set(texts["modality"]) == set(texts["image_path"]) == {""}
    assert texts["caption"].iloc[0] == "A pedestrian who looks as in vis/photo.jpg."
    assert set(gallery["pid"]) == set(texts["pid"]) == {8, 9, 10, 11}
    assert set(test["raw_id"]) == {820, 810, 800, 790}
    assert table.attrs["records"] == 24 + 12


def test_queries_of_every_kind_name_what_they_are_made_of(root):
    found = read_everything("orbench", root)
    queries = found.queries
    assert queries.groupby("kind").size().to_dict() == dict.fromkeys(KINDS, 8)
    for row in queries.itertuples():
        for part in ("text", "nir", "cp", "sk"):
            value = getattr(row, part)
            assert bool(value) == (part.upper() in row.kind.split("+"))
            if value and part != "text":
                assert value.startswith(f"{part}/{row.raw_id:04d}/")
    both = queries[queries["kind"] == "SK+TEXT"].iloc[0]
    assert both["text"] == "A pedestrian who looks as in vis/photo.jpg."
    assert both["sk"] == "sk/0820/0820_sk_0.jpg"


def test_kinds_that_are_missing_and_ids_that_do_not_follow_folders_are_told(root):
    edit(root, TEST, lambda content: [content.pop(kind) for kind in ("NIR", "TEXT+NIR+CP+SK")])
    edit(root, TRAIN, lambda records: records[0].update(id=2))
    notes = read_everything("orbench", root).table.attrs["notes"]
    assert notes == [
        f"{TRAIN}: 1 folders have several ids and 1 ids several folders; the folder was taken for "
        "the identity",
        f"{TEST} has no queries of NIR, TEXT+NIR+CP+SK",
    ]


FAULTS = {
    "path without folder": (
        TRAIN,
        lambda records: records[2].update(file_path="vis/0900.jpg"),
        "record 2: image path 'vis/0900.jpg' should be vis/<four digits>/<name>; correct it",
    ),
    "path of another modality": (
        TRAIN,
        lambda records: records[2].update(file_path="nir/0900/0900_nir_0.jpg"),
        "record 2: image path 'nir/0900/0900_nir_0.jpg' should be vis/<four",
    ),
    "folder that is no number": (
        TRAIN,
        lambda records: records[2].update(file_path="vis/anna/0.jpg"),
        "record 2: image path 'vis/anna/0.jpg' should be vis/<four",
    ),
    "caption list": (
        TRAIN,
        lambda records: records[2].update(caption=["a"]),
        "record 2: 'caption' is not text but a list",
    ),
    "no records": (TRAIN, lambda records: records.clear(), "has no records; fetch"),
    "no gallery": (
        TEST,
        lambda content: content.pop("RGB_GALLERY"),
        "has nothing under 'RGB_GALLERY'; fetch",
    ),
    "empty texts": (TEST, lambda content: content["TEXT"].clear(), "has nothing under 'TEXT'"),
    "unknown kind": (
        TEST,
        lambda content: content.update({"RGB": [[8, "vis/0820/x.jpg"]]}),
        "list 'RGB', record 0: a query is made of NIR, CP, SK, TEXT, not 'RGB'",
    ),
    "modality twice": (
        TEST,
        lambda content: content.update({"NIR+NIR": [[8, "a", "b"]]}),
        "list 'NIR+NIR', record 0: a query is made of NIR, CP, SK, TEXT",
    ),
    "row of another length": (
        TEST,
        lambda content: content["TEXT+NIR"][3].pop(),
        "list 'TEXT+NIR', record 3: is not a list of a number and 2 parts",
    ),
    "row no list": (
        TEST,
        lambda content: content["RGB_GALLERY"].__setitem__(3, {"id": 8}),
        "list 'RGB_GALLERY', record 3: is not a list of a number and a path",
    ),
    "parts in another order": (
        TEST,
        lambda content: content["TEXT+NIR"][3].reverse(),
        "list 'TEXT+NIR', record 3: the number of a person is not a whole number but text",
    ),
    "text where an image should be": (
        TEST,
        lambda content: content["NIR"][3].__setitem__(1, "a man"),
        "list 'NIR', record 3: image path 'a man' should be nir/<four",
    ),
    "blank text": (
        TEST,
        lambda content: content["TEXT"][3].__setitem__(1, " "),
        "list 'TEXT', record 3: caption is empty",
    ),
    "number negative": (
        TEST,
        lambda content: content["NIR"][3].__setitem__(0, -8),
        "list 'NIR', record 3: id -8 is not between",
    ),
    "person not in the gallery": (
        TEST,
        lambda content: content["NIR"][3].__setitem__(0, 77),
        "list 'NIR', record 3: number 77 is not in RGB_GALLERY; remove the query or",
    ),
    "images of somebody else": (
        TEST,
        lambda content: content["NIR"][3].__setitem__(0, 11),
        "number 11 is person 790 in RGB_GALLERY, but 'nir/0810/0810_nir_1.jpg' shows person 810",
    ),
    "number of two persons": (
        TEST,
        lambda content: content["RGB_GALLERY"][3].__setitem__(0, 8),
        "list 'RGB_GALLERY', record 3: number 8 is person 810 here and 820 before",
    ),
    "person in training and test": (
        TRAIN,
        lambda records: records[2].update(file_path="vis/0820/0820_vis_0.jpg"),
        "identity 820 is in test here and in train at ",
    ),
    "query image missing": (
        TEST,
        lambda content: content["SK"][3].__setitem__(1, "sk/0810/no.jpg"),
        "list 'SK', record 3: image 'sk/0810/no.jpg' is not in ",
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_fault_names_file_list_and_record(root, name):
    file, change, told = FAULTS[name]
    edit(root, file, change)
    with pytest.raises(ValueError, match=r"\.json") as raised:
        read_everything("orbench", root)
    assert told in str(raised.value)
    assert file in str(raised.value)
