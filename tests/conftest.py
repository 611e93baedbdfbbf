"""What tests share: a miniature data set in CUHK-PEDES' own layout, and a clean state."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings
from PIL import Image

# For long searches: `pytest tests/hostile --hypothesis-profile=thorough`.
settings.register_profile("thorough", max_examples=3_000)

COLOURS = {"red": (200, 30, 30), "green": (30, 160, 40), "blue": (40, 50, 190), "grey": (120,) * 3}
GARMENTS = ("coat", "shirt", "dress", "jacket")
IDENTITIES = {"train": 8, "val": 3, "test": 4}


def write_cuhk_miniature(root: Path, images_per_identity: int = 2) -> Path:
    """Write `annotations/reid_raw.json` and `imgs/`: plain figures in nameable colours."""
    rng = np.random.default_rng(0)
    records, identity = [], 0
    for split, count in IDENTITIES.items():
        for _ in range(count):
            identity += 1
            colour = list(COLOURS)[identity % 4]
            garment = GARMENTS[identity // 4 % 4]
            for number in range(images_per_identity):
                suffix = ("png", "jpg", "bmp")[identity % 3]
                path = f"cam_{number}/{identity:04d}_{number}.{suffix}"
                (root / "imgs" / path).parent.mkdir(parents=True, exist_ok=True)
                pixels = rng.integers(0, 60, (48, 20, 3)) + np.array(COLOURS[colour]) // 2
                Image.fromarray(pixels.astype(np.uint8)).save(root / "imgs" / path)
                view = f"camera {number}, number {identity}"
                captions = [
                    f"A person in a {colour} {garment} walks past {view}.",
                    f"The {garment} of this pedestrian is {colour}; view {number}.",
                ]
                records.append(
                    {
                        "split": split,
                        "captions": captions,
                        "file_path": path,
                        "processed_tokens": [caption.lower().split() for caption in captions],
                        "id": identity,
                    }
                )
    (root / "annotations").mkdir()
    (root / "annotations" / "reid_raw.json").write_text(json.dumps(records))
    return root


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest first, so that no worker is left alone with them."""
    items.sort(key=lambda item: "pipeline" not in item.path.parts)


@pytest.fixture
def cuhk_root(tmp_path) -> Path:
    return write_cuhk_miniature(tmp_path / "cuhk")


@pytest.fixture(autouse=True)
def precision_of_its_own():
    """Accelerate keeps the precision of the first training for the whole process."""
    yield
    if "accelerate.state" in sys.modules:
        sys.modules["accelerate.state"].AcceleratorState._reset_state(reset_partial_state=True)
