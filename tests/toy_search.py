"""A gallery of plain pictures, and a model that knows nothing but colours."""

import re
import threading
from contextlib import contextmanager
from types import SimpleNamespace

import numpy as np
import torch
from PIL import Image

from ubg.search.gallery import Gallery
from ubg.search.indexing import Request, index
from ubg.search.searcher import Searcher
from ubg.search.serving.library import Library

COLOURS = {
    "red": (200, 30, 30),
    "green": (30, 160, 40),
    "blue": (40, 50, 190),
    "yellow": (220, 200, 40),
    "violet": (130, 40, 150),
}
PER_COLOUR = 12


class ToyModel:
    """A caption and a picture are their mean colour; a sketch darkens what its caption says.

    Attributes:
        batches: how many captions were encoded together, each time.
        gate: while it is closed, captions wait.
    """

    network = SimpleNamespace(image=SimpleNamespace(height=32, width=16), embedding_dim=3)
    device = SimpleNamespace(type="cpu")

    def __init__(self, kinds=()):
        self.model = SimpleNamespace(normalisations=dict.fromkeys(kinds))
        self.batches = []
        self.gate = threading.Event()
        self.gate.set()

    def encode_text(self, captions, **options):
        if captions:
            self.batches.append(len(captions))
            assert self.gate.wait(60)
        return unit([self.colour_of(caption) for caption in captions])

    def encode_image(self, images, **options):
        return unit([np.asarray(image).reshape(-1, 3).mean(0) for image in images])

    def encode_query(self, parts):
        (sketch,) = parts["sk"]
        dark = np.asarray(sketch).mean() < 128
        says = self.encode_text(parts.get("text", ["violet" if dark else "yellow"]))
        return says.flip(1) if dark and "text" in parts else says

    def colour_of(self, caption):
        if "impossible" in caption:
            raise ValueError("the model cannot read this caption")
        named = [COLOURS[word] for word in re.findall(r"\w+", caption.lower()) if word in COLOURS]
        return np.mean(named, 0) if named else np.full(3, 100.0)


def unit(rows):
    vectors_ND = torch.tensor(np.array(rows, np.float32).reshape(-1, 3)) - 20
    return torch.nn.functional.normalize(vectors_ND, dim=1)


def draw_pictures(folder):
    """`PER_COLOUR` pictures of each colour, no two the same, in a folder for each."""
    rng = np.random.default_rng(0)
    for colour, mean in COLOURS.items():
        (folder / colour).mkdir(parents=True)
        for number in range(PER_COLOUR):
            noise = rng.normal(0, 6, 3) + rng.normal(0, 12, (96, 40, 3))
            pixels = (np.array(mean) + noise).clip(0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(folder / colour / f"{number:02d}.png")


def toy_gallery(root, monkeypatch, kinds=()):
    """A gallery in `root / "gallery"` of the pictures in `root / "crops"`; returns the model."""
    model = ToyModel(kinds)
    monkeypatch.setattr("ubg.load", lambda *arguments, **options: model, raising=False)
    (root / "model").mkdir(parents=True)
    (root / "model" / "config.json").write_text("{}")
    draw_pictures(root / "crops")
    index(root / "gallery", Request([root / "crops"], root / "model"))
    return model


def library_of(root):
    """What the server opens."""
    return Library(lambda: Searcher(Gallery.open(root / "gallery")))


@contextmanager
def running(library, token=None):
    """A server on a free port of this machine, in a thread; gives host and port."""
    import uvicorn

    from ubg.search.serving.serve import Address, listen, rules, server_config

    address = Address("127.0.0.1", 0)
    listening = listen(address)
    server = uvicorn.Server(server_config(library, rules(address, token)))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    try:
        yield listening.getsockname()[:2]
    finally:
        server.should_exit = True
        thread.join(20)
        listening.close()
        assert not thread.is_alive()
