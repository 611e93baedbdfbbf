"""The table of a data set, and one clear line for each fault of its records and images."""

import json
import os
import unicodedata

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ubg.data.annotations.formats.json_list import read_json_list
from ubg.data.annotations.formats.text_file import MAX_RECORD_CHARACTERS
from ubg.data.annotations.table import read_annotations


def read(root):
    return read_annotations("cuhk_pedes", root)


def edit(root, change):
    path = root / "annotations" / "reid_raw.json"
    records = json.loads(path.read_text())
    change(records)
    path.write_text(json.dumps(records))


def test_table_has_a_row_per_caption_and_ids_as_promised(cuhk_root):
    table = read(cuhk_root)
    assert list(table.columns) == [
        "split",
        "pid",
        "raw_id",
        "image_id",
        "image_path",
        "caption_id",
        "caption",
    ]
    assert len(table) == 15 * 2 * 2
    assert table["caption_id"].tolist() == list(range(60))
    assert sorted(table["image_id"].unique()) == list(range(30))
    for split, first, last in [("train", 0, 7), ("val", 8, 10), ("test", 11, 14)]:
        pids = sorted(table[table["split"] == split]["pid"].unique())
        assert pids == list(range(first, last + 1))
    assert table.loc[0, "caption"] == "A person in a green coat walks past camera 0, number 1."


def test_pids_follow_split_then_raw_id_whatever_the_order_of_the_file(cuhk_root):
    edit(cuhk_root, lambda records: records.reverse())
    table = read(cuhk_root)
    train = table[table["split"] == "train"].sort_values("raw_id")
    assert train["pid"].is_monotonic_increasing
    assert set(train["pid"]) == set(range(8))


def test_captions_stay_as_written(cuhk_root):
    odd = '  two\r\nlines, "quotes", NA, 红色, \x07 \ud800 '
    edit(cuhk_root, lambda records: records[0].update(captions=[odd]))
    assert read(cuhk_root).loc[0, "caption"] == odd


def test_image_listed_twice_keeps_one_id_and_all_captions(cuhk_root):
    edit(cuhk_root, lambda records: records.append(dict(records[0], captions=["again"])))
    table = read(cuhk_root)
    assert len(table[table["image_id"] == 0]) == 3
    assert (table.attrs["records"], table["image_id"].nunique()) == (31, 30)


def drop(name):
    return lambda records: records[3].pop(name)


def put(**fields):
    return lambda records: records[3].update(fields)


FAULTS = {
    "field missing": (drop("captions"), "record 3: has no field 'captions'"),
    "record no object": (lambda r: r.__setitem__(3, "x"), "record 3: is not an object but text"),
    "split unknown": (put(split="tset"), "record 3: split 'tset' is unknown"),
    "split no text": (put(split=1), "record 3: 'split' is not text but a number"),
    "id text": (put(id="7"), "record 3: 'id' is not a whole number but text"),
    "id boolean": (put(id=True), "record 3: 'id' is not a whole number but true or false"),
    "id fraction": (put(id=1.5), "record 3: 'id' is not a whole number but a number"),
    "id negative": (put(id=-1), "record 3: id -1 is not between"),
    "captions text": (put(captions="a man"), "record 3: 'captions' is not a list but text"),
    "captions empty": (put(captions=[]), "record 3: has an empty list of captions"),
    "caption null": (put(captions=[None]), "record 3: caption 0 is not text but null"),
    "caption blank": (put(captions=["a", " \n"]), "record 3: caption 1 is empty"),
    "caption invisible": (put(captions=["\u200b\ufeff\x07"]), "record 3: caption 0 is empty"),
    "caption huge": (put(captions=["a" * 20_001]), "record 3: caption 0 has 20,001 characters"),
    "path up": (put(file_path="../x.png"), "record 3: image path '../x.png' leaves"),
    "path hidden up": (put(file_path="cam_0/../../x"), "record 3: image path 'cam_0/../../x'"),
    "path absolute": (put(file_path="/etc/passwd"), "record 3: image path '/etc/passwd' leaves"),
    "path windows": (put(file_path="..\\x.png"), "record 3: image path '..\\\\x.png' leaves"),
    "path zero byte": (put(file_path="a\0b"), "record 3: image path 'a\\x00b' leaves"),
    "path empty": (put(file_path=""), "record 3: image path '' should be '.'"),
    "path too long": (put(file_path="a" * 300), "'… is not in"),
    "path unspeakable": (put(file_path="\ud800.png"), "image path '\\ud800.png' leaves"),
    "path folder": (put(file_path="cam_0"), "record 3: image 'cam_0' is not in"),
    "path not normal": (put(file_path="./cam_0/x"), "record 3: image path './cam_0/x' should be"),
    "image missing": (put(file_path="cam_0/no.png"), "record 3: image 'cam_0/no.png' is not in"),
    "identity in two splits": (put(split="test"), "identity 2 is in test here and in train"),
    "image of two": (put(file_path="cam_0/0001_0.jpg"), "is of identity 2 here and of 1 at record"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_fault_names_file_and_record(cuhk_root, name):
    change, expected = FAULTS[name]
    edit(cuhk_root, change)
    with pytest.raises(ValueError, match=r"reid_raw\.json") as raised:
        read(cuhk_root)
    message = str(raised.value)
    assert expected in message
    assert str(cuhk_root / "annotations" / "reid_raw.json") in message
    assert "\n" not in message


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "should begin with '[', a list of records, not ''"),
        (b'[{"split": "tra', "record 0: Unterminated string"),
        (b"[{}", "record 0: should be followed by ',' or ']', not ''"),
        (b"[{},", "record 1: Expecting value; the file is truncated"),
        (b"[{} {}]", "record 0: should be followed by ',' or ']', not '{'"),
        (b"[{}] []", "record 1: text follows after the list"),
        (b"{}", "should begin with '[', a list of records, not '{'"),
        (b"[]", "has no records"),
        (b"\xff\xfe", "is not UTF-8"),
        (b"[" * 100_000, "nested too deeply"),
        (b'[{"id": ' + b"1" * 5000 + b"}]", "record 0: has a number of 5,000 digits"),
        (b'[{"id": 1, "id": 2}]', "record 0: has the field 'id' twice"),
        (b'["' + b"a" * 3_000_000 + b'"]', "within the 1,048,576 characters that a record may"),
        (b'["' + b"a" * 1_100_000 + b'"]', "within the 1,048,576 characters that a record may"),
    ],
)
def test_file_that_is_no_list_of_records(cuhk_root, content, expected):
    (cuhk_root / "annotations" / "reid_raw.json").write_bytes(content)
    with pytest.raises(ValueError, match=r"reid_raw\.json") as raised:
        read(cuhk_root)
    assert expected in str(raised.value)
    assert "\n" not in str(raised.value)


def test_file_longer_than_what_is_decoded_at_once_gives_every_record(cuhk_root):
    """The file is read in windows; records and their separators lie across the borders."""
    original = read(cuhk_root)
    path = cuhk_root / "annotations" / "reid_raw.json"
    records = json.loads(path.read_text())
    for number, record in enumerate(records):
        record["processed_tokens"] = ["x" * (150_000 + number)]
    path.write_text("\ufeff" + json.dumps(records, indent=1), encoding="utf-8")
    assert path.stat().st_size > 4 * MAX_RECORD_CHARACTERS
    assert read(cuhk_root).equals(original)
    path.write_text(" " * (MAX_RECORD_CHARACTERS + 1) + json.dumps(records))
    assert read(cuhk_root).equals(original)


@pytest.mark.parametrize("border", range(-3, 4))
def test_list_is_read_the_same_wherever_a_window_ends(tmp_path, border):
    start = '[{"a": "'
    filler = "x" * (MAX_RECORD_CHARACTERS - len(start) - 4 + border)
    content = start + filler + '"} , {"b": [1, 2]},\n{}]\n'
    (tmp_path / "list.json").write_text(content)
    assert list(read_json_list(tmp_path / "list.json")) == [{"a": filler}, {"b": [1, 2]}, {}]


def test_annotations_that_are_no_file(cuhk_root):
    (cuhk_root / "annotations" / "reid_raw.json").unlink()
    os.mkfifo(cuhk_root / "annotations" / "reid_raw.json")
    with pytest.raises(ValueError, match=r"reid_raw\.json: is not a file"):
        read(cuhk_root)


def test_image_that_is_no_file(cuhk_root):
    os.mkfifo(cuhk_root / "imgs" / "pipe.png")
    edit(cuhk_root, put(file_path="pipe.png"))
    with pytest.raises(ValueError, match=r"record 3: image 'pipe\.png' is not in"):
        read(cuhk_root)


def test_missing_file_and_missing_folder(cuhk_root):
    (cuhk_root / "imgs").rename(cuhk_root / "pictures")
    with pytest.raises(ValueError, match=r"imgs: is not a folder"):
        read(cuhk_root)
    (cuhk_root / "annotations" / "reid_raw.json").unlink()
    with pytest.raises(ValueError, match=r"annotations: has no annotations; put reid_raw\.json or"):
        read(cuhk_root)
    (cuhk_root / "annotations").rmdir()
    with pytest.raises(ValueError, match=r"annotations: cannot be read: No such file .*; put the"):
        read(cuhk_root)


def move_and_link(path, target):
    target.parent.mkdir(parents=True, exist_ok=True)
    path.rename(target)
    path.symlink_to(target)


IMAGE = "cam_0/0001_0.jpg"
OBJECTS = ["files/md5/a0/" + "0f" * 15, "a0/" + "0f" * 15]  # of DVC 3, and before


@pytest.mark.parametrize("to", OBJECTS)
def test_links_within_the_folder_and_to_a_cache_of_dvc_are_followed(cuhk_root, tmp_path, to):
    imgs = cuhk_root / "imgs"
    move_and_link(imgs / IMAGE, tmp_path / "cache" / to)
    move_and_link(imgs / "cam_1", imgs / "cam_2/within")
    assert read(cuhk_root)["image_id"].nunique() == 30
    imgs.rename(tmp_path / "elsewhere")
    imgs.symlink_to(tmp_path / "elsewhere")
    (imgs / "cam_1").unlink()
    (imgs / "cam_1").symlink_to("cam_2/within")
    assert read(cuhk_root)["image_id"].nunique() == 30


@pytest.mark.parametrize("link", [IMAGE, "cam_0"])
@pytest.mark.parametrize("to", ["out", "files/md5/a0", "files/md5/A0/" + "0F" * 15])
def test_images_that_lead_out_of_the_folder_by_a_link_are_refused(cuhk_root, tmp_path, link, to):
    """The link of a file, and that of a folder above it."""
    target = tmp_path / "outside" / to
    move_and_link(cuhk_root / "imgs" / link, target)
    records = json.loads((cuhk_root / "annotations/reid_raw.json").read_text())
    (cuhk_root / "annotations/reid_raw.json").write_text(
        json.dumps([record for record in records if record["file_path"] == IMAGE])
    )
    with pytest.raises(ValueError, match=rf"image '{IMAGE}' leads out of .*imgs by a link") as told:
        read(cuhk_root)
    assert str(target) in str(told.value)
    assert "`cp -rL`" in str(told.value)
    assert "\n" not in str(told.value)


def test_no_path_leaves_by_its_text(cuhk_root, tmp_path):
    cache = tmp_path / "cache"
    for path in ("../cache", "cam_1/../cache", str(cache)):
        edit(cuhk_root, put(file_path=path))
        with pytest.raises(ValueError, match=r"record 3: image path .* leaves"):
            read(cuhk_root)


@pytest.mark.parametrize("link", ["itself", "to nothing"])
def test_link_that_leads_nowhere_is_no_image(cuhk_root, link):
    (cuhk_root / "imgs" / "cam_0" / "itself").symlink_to("itself")
    (cuhk_root / "imgs" / "cam_0" / "to nothing").symlink_to("nothing")
    edit(cuhk_root, put(file_path=f"cam_0/{link}"))
    with pytest.raises(ValueError, match=f"record 3: image 'cam_0/{link}' is not in"):
        read(cuhk_root)


@pytest.mark.parametrize("on_disk", ["NFC", "NFD"])
def test_accents_are_found_however_they_are_encoded(cuhk_root, on_disk):
    names = {form: unicodedata.normalize(form, "Müller/é.png") for form in ("NFC", "NFD")}
    (cuhk_root / "imgs" / names[on_disk]).parent.mkdir()
    (cuhk_root / "imgs" / names[on_disk]).write_bytes(b"x")
    in_file = names["NFD" if on_disk == "NFC" else "NFC"]
    edit(cuhk_root, put(file_path=in_file))
    edit(cuhk_root, lambda records: records.append(dict(records[3], file_path=names[on_disk])))
    table = read(cuhk_root)
    assert (table["image_path"] == names[on_disk]).sum() == 4
    assert table["image_id"].nunique() == 30


def test_two_files_that_look_alike_are_shown_as_they_are_encoded(cuhk_root):
    for name in ("\u1e09.png", "\u00e7\u0301.png"):
        (cuhk_root / "imgs" / name).write_bytes(b"x")
    edit(cuhk_root, put(file_path="c\u0327\u0301.png"))
    with pytest.raises(ValueError, match="which look alike; keep one") as raised:
        read(cuhk_root)
    assert r"as '\xe7\u0301.png', '\u1e09.png'" in str(raised.value)


def test_folder_of_images_may_itself_be_a_link(cuhk_root, tmp_path):
    (cuhk_root / "imgs").rename(tmp_path / "elsewhere")
    (cuhk_root / "imgs").symlink_to(tmp_path / "elsewhere")
    assert len(read(cuhk_root)) == 60


def test_many_faults_are_told_together_and_briefly(cuhk_root):
    edit(cuhk_root, lambda records: [record.update(split="x") for record in records])
    with pytest.raises(ValueError, match=r"faulty records \(30\)") as raised:
        read(cuhk_root)
    assert len(str(raised.value).splitlines()) == 22
    assert "... and 10 more" in str(raised.value)


def test_unknown_format(cuhk_root):
    with pytest.raises(ValueError, match="format 'voc' is unknown; allowed: cuhk_pedes"):
        read_annotations("voc", cuhk_root)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=6,
)
NEARLY_RIGHT = st.fixed_dictionaries(
    {},
    optional={
        "split": st.sampled_from(["train", "val", "test", "dev"]) | JSON,
        "id": st.integers(-1, 5) | JSON,
        "captions": st.lists(st.text(max_size=6), max_size=3) | JSON,
        "file_path": st.sampled_from(["cam_0/0001_0.jpg", "../x", "/x", "cam_0"]) | st.text(),
    },
)


@settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(content=st.lists(NEARLY_RIGHT | JSON, max_size=4) | JSON)
def test_any_json_gives_a_table_or_a_value_error(cuhk_root, content):
    (cuhk_root / "annotations" / "reid_raw.json").write_text(json.dumps(content))
    try:
        table = read(cuhk_root)
    except ValueError:
        return
    assert len(table) > 0
    assert table["caption"].str.strip().str.len().min() > 0
