import json
from pathlib import Path

import numpy as np
import pytest
import sections
from PIL import Image

from ubg.data.annotations.table import read_everything
from ubg.data.query_kinds import KINDS
from ubg.synthpedes.generate import generate, modality_counts, modality_scene, rgb_scene
from ubg.synthpedes.identities import make_members
from ubg.synthpedes.modalities import MODALITIES
from ubg.synthpedes.scene import render

MODALITY_PARAMS = {"least_images": 2, "most_images": 3, "missing": 0.5, "test_queries_per_kind": 5}
PARAMS = sections.synthpedes(modalities=MODALITY_PARAMS)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("synthpedes") / "set"
    generate(PARAMS, folder)
    return folder


def load(root: Path, name: str) -> list[dict]:
    return json.loads((root / "annotations" / name).read_text(encoding="utf-8"))


def test_records_have_the_layout_of_cuhk_pedes(root: Path) -> None:
    records = load(root, "reid_raw.json")
    assert len(records) == 9 * 2
    for record in records:
        assert list(record) == ["split", "captions", "file_path", "processed_tokens", "id"]
        assert len(record["captions"]) == len(record["processed_tokens"]) == 2
        assert record["captions"][0] != record["captions"][1]
        with Image.open(root / "imgs" / record["file_path"]) as image:
            assert (image.size, image.mode, image.format) == ((64, 192), "RGB", "JPEG")
    assert records[0]["file_path"] == "vis/0001/0001_1.jpg"


def test_splits_share_no_identity(root: Path) -> None:
    pids = {split: set() for split in ("train", "val", "test")}
    for record in load(root, "reid_raw.json"):
        pids[record["split"]].add(record["id"])
    assert pids == {"train": {1, 2, 3, 4}, "val": {5, 6}, "test": {7, 8, 9}}


def test_identity_and_clothing_captions_cover_every_image(root: Path) -> None:
    paths = [r["file_path"] for r in load(root, "reid_raw.json")]
    for file, key in (("id_captions.json", "identity"), ("cloth_captions.json", "cloth")):
        rows = load(root, file)
        assert [row["file_path"] for row in rows] == paths
        assert all(list(row) == ["id", "file_path", key] and row[key] for row in rows)


def test_identities_have_so_many_pictures_of_each_modality_and_some_lack_one(root: Path) -> None:
    lacking = 0
    for member in make_members(11, {"train": 4, "val": 2, "test": 3}):
        counts = {}
        for modality in MODALITIES:
            folder = root / "imgs" / modality / f"{member.pid:04d}"
            names = sorted(path.name for path in folder.glob("*"))
            assert names == [f"{member.pid:04d}_{n + 1}.jpg" for n in range(len(names))]
            counts[modality] = len(names)
        assert counts == modality_counts(member, PARAMS)
        assert set(counts.values()) <= {0, 2, 3}
        assert sorted(counts.values())[1] >= 2
        lacking += 0 in counts.values()
    assert 0 < lacking < 9


def test_other_knobs_of_modalities_leave_rgb_and_captions_as_they_are(
    root: Path, tmp_path: Path
) -> None:
    """All systems but one read these alone."""
    generate(sections.synthpedes(), tmp_path / "fewer")
    names = ["id_captions.json", "cloth_captions.json", "reid_raw.json"]
    files = [f"annotations/{name}" for name in names] + ["contact_sheet.png"]
    files += [path.relative_to(root).as_posix() for path in (root / "imgs/vis").rglob("*.jpg")]
    assert len(files) == 4 + 9 * 2
    for file in files:
        assert (root / file).read_bytes() == (tmp_path / "fewer" / file).read_bytes(), file


def test_reader_of_orbench_finds_the_same_captions_and_queries_of_every_kind(root: Path) -> None:
    found = read_everything("orbench", root)
    own = read_everything("cuhk_pedes", root).table
    training = found.table[found.table["split"] == "train"]
    expected = own[own["split"] != "test"]
    for column in ("raw_id", "image_path", "caption"):
        assert training[column].tolist() == expected[column].tolist()
    tested = own[own["split"] == "test"]
    gallery = found.table[(found.table["split"] == "test") & (found.table["caption"] == "")]
    assert gallery["image_path"].tolist() == tested["image_path"].unique().tolist()
    assert found.queries.groupby("kind").size().to_dict().keys() == set(KINDS)
    assert (found.queries.groupby("kind").size() <= 5).all()
    captions = tested.groupby("raw_id")["caption"].agg(set)
    for row in found.queries.itertuples():
        assert not row.text or row.text in captions[row.raw_id]
    assert found.table.attrs["notes"] == []


def test_same_bytes_whatever_the_number_of_processes(root: Path, tmp_path: Path) -> None:
    generate(PARAMS, tmp_path / "again", processes=2)
    files = sorted(p.relative_to(root) for p in root.rglob("*") if p.is_file())
    again = sorted(p.relative_to(tmp_path / "again") for p in (tmp_path / "again").rglob("*.*"))
    assert [p for p in again if (tmp_path / "again" / p).is_file()] == files
    modalities = [sum(1 for _ in (root / "imgs" / name).rglob("*.jpg")) for name in MODALITIES]
    assert len(files) == 9 * 2 + sum(modalities) + 7
    for path in files:
        assert (root / path).read_bytes() == (tmp_path / "again" / path).read_bytes(), path


def test_another_seed_gives_other_pictures(root: Path, tmp_path: Path) -> None:
    generate(PARAMS.model_copy(update={"seed": 12}), tmp_path / "other")
    name = "imgs/vis/0001/0001_1.jpg"
    assert (root / name).read_bytes() != (tmp_path / "other" / name).read_bytes()


def test_other_modalities_are_no_filter_of_an_rgb_picture() -> None:
    for member in make_members(11, {"train": 6, "val": 0, "test": 0}):
        covers = []
        for scene, rng in (
            *(rgb_scene(member, 11, number) for number in (1, 2, 3, 4)),
            *(modality_scene(member, 11, name, n) for name in MODALITIES for n in (1, 2)),
        ):
            covers.append(render(member.identity, scene, rng).cover > 0.5)
        for drawn in covers[4:]:
            for photo in covers[:4]:
                assert (drawn & photo).sum() / (drawn | photo).sum() < 0.95


def test_sketches_and_infrared_carry_no_colour(root: Path) -> None:
    def colourfulness(path: Path) -> float:
        with Image.open(path) as image:
            pixels = np.asarray(image, np.float32)
        return float(np.abs(pixels[..., 0] - pixels[..., 2]).mean())

    for modality, most in (("nir", 2), ("sk", 15)):
        for path in (root / "imgs" / modality).rglob("*.jpg"):
            assert colourfulness(path) < most


def test_contact_sheet_is_written(root: Path) -> None:
    with Image.open(root / "contact_sheet.png") as sheet:
        assert sheet.width > 1000
