import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ubg.params import SynthPedes
from ubg.synthpedes.generate import generate, modality_scene, rgb_scene
from ubg.synthpedes.identities import make_members
from ubg.synthpedes.modalities import MODALITIES
from ubg.synthpedes.scene import render

PARAMS = SynthPedes(
    seed=11, train_identities=4, val_identities=2, test_identities=3, images_per_identity=2
)


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


def test_every_identity_has_every_modality(root: Path) -> None:
    for modality in MODALITIES:
        found = sorted(p.parent.name for p in (root / "imgs" / modality).rglob("*.jpg"))
        assert found == [f"{pid:04d}" for pid in range(1, 10)]


def test_same_bytes_whatever_the_number_of_processes(root: Path, tmp_path: Path) -> None:
    generate(PARAMS, tmp_path / "again", processes=2)
    files = sorted(p.relative_to(root) for p in root.rglob("*") if p.is_file())
    again = sorted(p.relative_to(tmp_path / "again") for p in (tmp_path / "again").rglob("*.*"))
    assert [p for p in again if (tmp_path / "again" / p).is_file()] == files
    assert len(files) == 9 * 5 + 4
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
            *(modality_scene(member, 11, modality) for modality in MODALITIES),
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

    for pid in range(1, 10):
        name = f"{pid:04d}/{pid:04d}_1.jpg"
        assert colourfulness(root / "imgs/nir" / name) < 2
        assert colourfulness(root / "imgs/sk" / name) < 15


def test_contact_sheet_is_written(root: Path) -> None:
    with Image.open(root / "contact_sheet.png") as sheet:
        assert sheet.width > 1000
