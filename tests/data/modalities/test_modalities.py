"""The prepared modalities come back as they were written; what is damaged is told in a line."""

import numpy as np
import pandas as pd
import pytest
import sections
from PIL import Image

from ubg.data.images.pack import pack_images
from ubg.data.modalities.modalities import CHANNELS, load_modalities
from ubg.data.prepared import NO_IMAGE, write_table

COLOUR = {"nir": (90, 90, 90), "cp": (200, 40, 60), "sk": (230, 230, 230)}


@pytest.fixture
def folder(tmp_path):
    """Two images of each modality of two persons, and a query of each split."""
    rows = []
    for modality in CHANNELS:
        for pid in (0, 1):
            path = f"{modality}/{pid:04d}/0.png"
            (tmp_path / "imgs" / path).parent.mkdir(parents=True)
            Image.new("RGB", (8, 24), COLOUR[modality]).save(tmp_path / "imgs" / path)
            rows.append((("val", "test")[pid], pid, len(rows), modality, path))
    images = pd.DataFrame(rows, columns=["split", "pid", "image_id", "modality", "image_path"])
    queries = pd.DataFrame(
        [
            ("val", "TEXT", 0, "NA", NO_IMAGE, NO_IMAGE, NO_IMAGE),
            ("test", "SK+NIR", 1, "", 1, NO_IMAGE, 5),
        ],
        columns=["split", "kind", "pid", "caption", "nir", "cp", "sk"],
    )
    prepared = tmp_path / "modalities"
    prepared.mkdir()
    size = sections.image(height=32, width=16)
    for modality, channels in CHANNELS.items():
        of_modality = images[images["modality"] == modality]
        pack_images(of_modality, tmp_path / "imgs", size, prepared / modality, channels=channels)
    write_table(images, prepared / "images.csv")
    write_table(queries, prepared / "queries.csv")
    return prepared


def test_tables_and_pixels_come_back(folder):
    modalities = load_modalities(folder)
    assert modalities.images["image_id"].tolist() == list(range(6))
    assert modalities.images["modality"].tolist() == ["nir"] * 2 + ["cp"] * 2 + ["sk"] * 2
    assert modalities.queries["caption"].tolist() == ["NA", ""]
    query = modalities.queries.iloc[1]
    assert (query["nir"], query["cp"], query["sk"]) == (1, NO_IMAGE, 5)
    for name, image_id in (("nir", 1), ("cp", 2), ("sk", 5)):
        pack = modalities.packs[name]
        pixels = pack.read(pack.row_of(np.array([image_id])))
        assert pixels.shape == (1, 32, 16, CHANNELS[name])
        assert (pixels == COLOUR[name][: CHANNELS[name]]).all()


def test_an_image_is_in_the_pack_of_its_modality_alone(folder):
    with pytest.raises(ValueError, match="has no image 1"):
        load_modalities(folder).packs["sk"].row_of(np.array([1]))


def test_fingerprint_follows_tables_and_pixels(folder, tmp_path):
    before = load_modalities(folder).fingerprint
    assert load_modalities(folder).fingerprint == before
    path = folder / "queries.csv"
    path.write_text(path.read_text().replace("NA", "A man"))
    changed = load_modalities(folder).fingerprint
    assert changed != before
    index = folder / "sk" / "index.json"
    of_sk = load_modalities(folder).packs["sk"].fingerprint
    index.write_text(index.read_text().replace(of_sk, "0" * 16))
    assert load_modalities(folder).fingerprint not in (before, changed)


@pytest.mark.parametrize("missing", ["images.csv", "queries.csv", "nir/index.json"])
def test_missing_part_is_named(folder, missing):
    (folder / missing).unlink()
    with pytest.raises(ValueError, match=missing.split("/")[0]) as raised:
        load_modalities(folder)
    assert "make it" in str(raised.value)
    assert "\n" not in str(raised.value)
