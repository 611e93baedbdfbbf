"""Folders of small pictures, and a model of NumPy alone that indexes them."""

import json
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
from PIL import Image

import ubg
from ubg.search import encoding, tidying
from ubg.search.indexing import Request, index
from ubg.search.labels import Label

HEIGHT, WIDTH, DIMENSION, PLACES, CODES = 16, 8, 12, 6, 5


class Rows:
    """What a model returns, as far as search looks at it."""

    def __init__(self, values):
        self.values, self.shape = values, values.shape

    def cpu(self):
        return self

    def numpy(self):
        return self.values


class Stub:
    """Vectors are projections of pixels, and those of a text are drawn by its letters."""

    model = SimpleNamespace(normalisations={})
    device = SimpleNamespace(type="cpu")

    def __init__(self, folder=None, device=None, both_scores=False):
        size = SimpleNamespace(height=HEIGHT, width=WIDTH)
        self.network = SimpleNamespace(image=size, embedding_dim=DIMENSION)
        generator = np.random.default_rng(1)
        self.weights = generator.standard_normal((HEIGHT * WIDTH * 3, DIMENSION))

    def encode_image(self, images):
        pixels = [
            np.asarray(
                image.convert("RGB").resize((WIDTH, HEIGHT))
                if isinstance(image, Image.Image)
                else image
            )
            for image in images
        ]
        return Rows(self._unit([(p.ravel() / 255.0 - 0.5) @ self.weights for p in pixels]))

    def encode_text(self, texts):
        drawn = [np.random.default_rng(list(text.encode())) for text in texts]
        return Rows(self._unit([generator.standard_normal(DIMENSION) for generator in drawn]))

    def image_codes(self, images):
        sums = [np.asarray(p, np.int64).reshape(PLACES, -1).sum(1) % CODES for p in images]
        return np.array(sums, np.int32).reshape(-1, PLACES)

    def caption_evidence(self, texts):
        drawn = [np.random.default_rng([1, *text.encode()]) for text in texts]
        said = [generator.uniform(-0.1, 0.1, (PLACES, CODES)) for generator in drawn]
        return Rows(np.array(said, np.float32).reshape(-1, PLACES, CODES))

    @staticmethod
    def _unit(rows):
        rows = np.array(rows).reshape(-1, DIMENSION)
        return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def draw_picture(path, seed, size=(9, 20), **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), np.uint8)
    Image.fromarray(pixels).save(path, **options)


def draw_folder(folder, count):
    for place in range(count):
        draw_picture(folder / f"cam{place % 3}" / f"{place:03}.png", place)


def save_model(folder, name="model"):
    """Files to take a fingerprint of."""
    for part in (name, f"{name}_generator"):
        (folder / part).mkdir(parents=True)
        (folder / part / "config.json").write_text(json.dumps({"name": part}))
    return folder / name


def folder_and_model(place, monkeypatch):
    """Ten pictures in `imgs` and a model, to be indexed in small batches by `run_index`."""
    monkeypatch.setattr(ubg, "load", Stub)
    monkeypatch.setattr(encoding, "BATCH_SIZE", 4)
    draw_folder(place / "imgs", 10)
    save_model(place)
    return place


def run_index(place, folders=("imgs",), **options):
    paths = [place / folder for folder in folders]
    return index(place / "gallery", Request(paths, place / "model", **options))


def gallery_of_twelve(place, monkeypatch):
    """A gallery of twelve images, of which two have the same bytes, and its model."""
    monkeypatch.setattr(ubg, "load", Stub)
    draw_folder(place / "imgs", 11)
    draw_picture(place / "imgs/cam9/twin.png", 4)
    labels = {
        f"cam{n % 3}/{n:03}.png": Label(("night",) if n < 4 else (), str(n % 2)) for n in range(11)
    }
    model = save_model(place)
    index(place / "gallery", Request([place / "imgs"], model, True, labels=labels))
    return place


def scores_of(gallery, vector):
    """By path, of the first of equal bytes, best first."""
    scores = gallery.snapshot.vectors_ND.astype(np.float64) @ vector
    paths = [entry.path for entry in gallery.entries(gallery.snapshot.ids_N)]
    by_score = sorted(zip(-scores, paths, strict=True))
    return [(path, -score) for score, path in by_score if path != "cam9/twin.png"]


# So that indexing has many steps, and rows are written anew.
SMALL_STEPS = (
    (ubg, "load", Stub),
    (encoding, "BATCH_SIZE", 4),
    (encoding, "SECONDS", 0.0),
    (tidying, "SPARE_ROWS", 3),
)


def index_asked(gallery, model, folders, labels, forget):
    """As asked in JSON."""
    request = Request(
        [Path(folder) for folder in folders],
        Path(model),
        both_scores=True,
        labels={path: Label((tag,), camera) for path, (tag, camera) in labels.items()},
        forget=[Path(folder) for folder in forget],
    )
    index(Path(gallery), request)


if __name__ == "__main__":  # a process to be killed
    for owner, name, value in SMALL_STEPS:
        setattr(owner, name, value)
    print("begins", flush=True)
    index_asked(**json.loads(sys.argv[1]))
    print("ends", flush=True)
