"""ORBench's own layout becomes tables and packs; each fault of it is told in a line."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import sections
from miniatures import query_kinds, write_orbench

from ubg.data.annotations.prepare import prepare_table
from ubg.data.images.decode import decode_image
from ubg.data.modalities.modalities import CHANNELS, lack_of_modalities, load_modalities
from ubg.data.modalities.prepare import prepare_modalities
from ubg.data.prepared import NO_IMAGE
from ubg.params import load_other

REPOSITORY = Path(__file__).parents[3]
TEST = "test_gallery_and_queries.json"


def params_of(root, max_broken=0, val_queries_per_kind=4):
    """The preset of ORBench for a miniature, three of whose eight training persons are for val."""
    params = load_other("orbench", REPOSITORY)
    drawn = params.data.modalities.model_copy(update={"val_queries_per_kind": val_queries_per_kind})
    carve_val = params.data.carve_val.model_copy(update={"identities": 3})
    data = params.data.model_copy(update={"carve_val": carve_val, "modalities": drawn})
    size = sections.image(height=32, width=16, max_broken=max_broken)
    preset = params.preset.model_copy(update={"image": size})
    return params.model_copy(update={"data_root": str(root.parent), "data": data, "preset": preset})


def prepare(root, **changes):
    params = params_of(root, **changes)
    table = prepare_table(params).table
    prepare_modalities(params, table, root.parent / "modalities")
    return table, load_modalities(root.parent / "modalities")


@pytest.fixture
def root(tmp_path):
    return write_orbench(tmp_path / "orbench")


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    root = write_orbench(tmp_path_factory.mktemp("genuine") / "orbench")
    return root, *prepare(root)


def test_images_of_all_persons_are_listed_by_folder(prepared):
    _, table, modalities = prepared
    images = modalities.images
    raw_id_of = dict(zip(table["pid"], table["raw_id"], strict=True))
    split_of = dict(zip(table["pid"], table["split"], strict=True))
    assert images["image_id"].tolist() == list(range(len(images)))
    # Three of everybody in train and val, and the two that queries of test name.
    expected = {("train", 3): 5 * 3, ("val", 3): 3 * 3, ("test", 2): 4 * 2}
    for (split, each), count in expected.items():
        of_split = images[images["split"] == split]
        assert of_split.groupby("modality").size().to_dict() == dict.fromkeys(CHANNELS, count)
        assert set(of_split.groupby(["pid", "modality"]).size()) == {each}
    for row in images.itertuples():
        assert row.image_path.startswith(f"{row.modality}/{raw_id_of[row.pid]:04d}/")
        assert row.split == split_of[row.pid]
    assert images["image_path"].is_unique


def test_packs_hold_the_pixels_of_the_files_in_the_channels_of_the_modality(prepared):
    root, _, modalities = prepared
    for modality, channels in CHANNELS.items():
        pack = modalities.packs[modality]
        of_modality = modalities.images[modalities.images["modality"] == modality]
        assert pack.image_ids.tolist() == of_modality["image_id"].tolist()
        pixels = pack.read(pack.row_of(of_modality["image_id"].to_numpy()))
        assert pixels.shape == (len(of_modality), 32, 16, channels)
        for place in (0, -1):
            path = root / "imgs" / of_modality["image_path"].iloc[place]
            assert np.array_equal(pixels[place], decode_image(path, 32, 16, channels))


def test_test_queries_are_those_of_the_file(prepared):
    root, table, modalities = prepared
    lists = json.loads((root / "annotations" / TEST).read_text(encoding="utf-8"))
    path_of = dict(zip(modalities.images["image_id"], modalities.images["image_path"], strict=True))
    raw_id_of = dict(zip(table["pid"], table["raw_id"], strict=True))
    folder_of = {number: int(path.split("/")[1]) for number, path in lists.pop("RGB_GALLERY")}
    found = {kind: [] for kind in lists}
    queries = modalities.queries
    for row in queries[queries["split"] == "test"].itertuples():
        parts = []
        for part in row.kind.lower().split("+"):
            parts.append(row.caption if part == "text" else path_of[getattr(row, part)])
        found[row.kind].append([raw_id_of[row.pid], *parts])
    assert found == {
        kind: [[folder_of[number], *parts] for number, *parts in rows]
        for kind, rows in lists.items()
    }


def test_validation_queries_are_of_every_kind_and_of_one_person_each(prepared):
    _, table, modalities = prepared
    queries = modalities.queries[modalities.queries["split"] == "val"]
    images = modalities.images.set_index("image_id")
    assert queries.groupby("kind").size().to_dict() == dict.fromkeys(query_kinds(), 4)
    captions = table[table["split"] == "val"].groupby("pid")["caption"].agg(set)
    for row in queries.itertuples():
        parts = row.kind.split("+")
        assert bool(row.caption) == ("TEXT" in parts)
        if row.caption:
            assert row.caption in captions[row.pid]
        for modality in CHANNELS:
            image_id = getattr(row, modality)
            assert (image_id != NO_IMAGE) == (modality.upper() in parts)
            if image_id != NO_IMAGE:
                assert tuple(images.loc[image_id, ["pid", "modality"]]) == (row.pid, modality)


def test_same_bytes_twice_and_other_queries_by_another_seed(prepared, tmp_path):
    root, table, modalities = prepared
    params = params_of(root)
    prepare_modalities(params, table, tmp_path / "again")
    again = load_modalities(tmp_path / "again")
    assert again.fingerprint == modalities.fingerprint
    drawn = params.data.modalities.model_copy(update={"seed": 7})
    data = params.data.model_copy(update={"modalities": drawn})
    prepare_modalities(params.model_copy(update={"data": data}), table, tmp_path / "other")
    other = load_modalities(tmp_path / "other")
    assert other.images.equals(modalities.images)
    assert not other.queries.equals(modalities.queries)


def test_a_person_may_lack_a_modality_and_is_asked_for_by_the_others(root):
    params = params_of(root, val_queries_per_kind=100)
    table = prepare_table(params).table
    raw_id = table.loc[table["split"] == "val", "raw_id"].iloc[0]
    shutil.rmtree(root / "imgs" / "nir" / f"{raw_id:04d}")
    _, modalities = prepare(root, val_queries_per_kind=100)
    pid = table.loc[table["raw_id"] == raw_id, "pid"].iloc[0]
    queries = modalities.queries
    of_person = queries[(queries["split"] == "val") & (queries["pid"] == pid)]
    lacking = {kind for kind in query_kinds() if "NIR" in kind.split("+")}
    assert set(of_person["kind"]) == set(query_kinds()) - lacking


def test_what_is_no_image_and_persons_whom_nobody_names_are_passed_over(root, capsys):
    (root / "imgs/nir/.DS_Store").touch()
    (root / "imgs/nir/0900/Thumbs.db").touch()
    shutil.copytree(root / "imgs/nir/0900", root / "imgs/nir/1234")
    _, modalities = prepare(root)
    assert not modalities.images["image_path"].str.contains("1234|Thumbs|DS_Store").any()
    assert "images of 1 persons whom the annotations do not name" in capsys.readouterr().out


def test_broken_images_go_with_their_queries_if_some_may(root, capsys):
    (root / "imgs/sk/0820/0820_sk_0.jpg").write_bytes(b"no image")
    _, modalities = prepare(root, max_broken=1)
    assert "sk/0820/0820_sk_0.jpg" not in set(modalities.images["image_path"])
    _, whole = prepare(write_orbench(root.parent / "whole" / "orbench"))
    lost = len(whole.queries) - len(modalities.queries)
    assert lost == sum("SK" in kind for kind in query_kinds())  # one query of each
    assert f"left out: {lost} queries made of broken images" in capsys.readouterr().out


def annotations(change):
    def spoil(root):
        path = root / "annotations" / TEST
        content = json.loads(path.read_text(encoding="utf-8"))
        change(content)
        path.write_text(json.dumps(content), encoding="utf-8")

    return spoil


SPOILED = {
    "no folder of a modality": (
        lambda root: shutil.rmtree(root / "imgs/cp"),
        "imgs/cp: cannot be listed: No such file or directory; put the images of the modality",
    ),
    "a file for a folder": (
        lambda root: (shutil.rmtree(root / "imgs/cp"), (root / "imgs/cp").touch()),
        "imgs/cp: cannot be listed: Not a directory; put",
    ),
    "no image in a modality": (
        lambda root: [path.unlink() for path in (root / "imgs/nir").rglob("*.jpg")],
        "imgs/nir: has no image of anybody; put the images there",
    ),
    "a folder that is no person": (
        lambda root: (root / "imgs/nir/0900").rename(root / "imgs/nir/anna"),
        "imgs/nir: the folder 'anna' should have four digits for a name; rename it",
    ),
    "five digits": (
        lambda root: (root / "imgs/sk/0900").rename(root / "imgs/sk/00900"),
        "imgs/sk: the folder '00900' should have four digits",
    ),
    "a name that cannot be written": (
        lambda root: (root / "imgs/nir/0900/a\nb.jpg").touch(),
        "image path 'nir/0900/a\\nb.jpg' leaves ",
    ),
    "an image of no bytes": (
        lambda root: (root / "imgs/nir/0900/0900_nir_1.jpg").write_bytes(b""),
        "imgs/nir/0900/0900_nir_1.jpg: has no bytes; replace it",
    ),
    "a truncated image": (
        lambda root: (path := root / "imgs/cp/0820/0820_cp_0.jpg").write_bytes(
            path.read_bytes()[:300]
        ),
        "imgs/cp/0820/0820_cp_0.jpg: ",
    ),
    "text for an image": (
        lambda root: (root / "imgs/sk/0820/0820_sk_0.jpg").write_text("a sketch"),
        "imgs/sk/0820/0820_sk_0.jpg: is no image of a known format",
    ),
    "a query whose image is missing": (
        lambda root: (root / "imgs/sk/0820/0820_sk_0.jpg").unlink(),
        "image 'sk/0820/0820_sk_0.jpg' is not in ",
    ),
    "a path that leaves": (
        annotations(lambda lists: lists["NIR"][0].__setitem__(1, "nir/0820/../../../x.jpg")),
        "record 0: image path 'nir/0820/../../../x.jpg' should be nir/<four digits>/<name>",
    ),
    "a query of nobody": (
        annotations(lambda lists: lists["CP"][0].__setitem__(0, 77)),
        "list 'CP', record 0: number 77 is not in RGB_GALLERY",
    ),
    "no text file at all": (
        lambda root: (root / "annotations" / TEST).write_bytes(b"\xff\xfe\x00["),
        f"{TEST}",
    ),
}


@pytest.mark.parametrize("name", SPOILED)
def test_spoiled_file_is_told_in_a_line(root, name):
    spoil, told = SPOILED[name]
    params = params_of(root)
    table = prepare_table(params).table
    spoil(root)
    output = root.parent / "modalities"
    with pytest.raises(ValueError, match=r"/orbench/") as raised:
        prepare_modalities(params, table, output)
    assert told in str(raised.value)
    assert "\n" not in str(raised.value)
    assert not output.exists()


def test_query_for_a_person_of_training_is_refused(root):
    params = params_of(root)
    table = prepare_table(params).table
    table.loc[table["raw_id"] == 820, "split"] = "train"
    with pytest.raises(ValueError, match="person 820 is not of the test split"):
        prepare_modalities(params, table, root.parent / "modalities")


def test_what_a_data_set_without_modalities_lacks_is_told(root):
    lack = lack_of_modalities(load_other("cuhk_pedes", REPOSITORY))
    assert lack == "CUHK-PEDES has no infrared images, colour pencil drawings and sketches"
    assert lack_of_modalities(params_of(root)) is None
