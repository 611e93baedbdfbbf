"""Whole folders that others hand on: a model with its branch, a gallery, what evaluations left."""

import json
from contextlib import chdir
from types import SimpleNamespace

import numpy as np
import pandas as pd
import torch
from PIL import Image
from safetensors.torch import save_model
from tiny_gallery import gallery_of_twelve
from tiny_models import CODES, PATCHES, SMALL_VQGAN, build_text, text_generation, tiny_scale
from tiny_trained import CAPTIONS, save_untrained

import ubg
from ubg.calibration import Calibration, calibration_of, read_calibration, write_calibration
from ubg.comparison.system_metrics import read_metrics
from ubg.data.modalities.modalities import CHANNELS, COLUMNS, load_modalities
from ubg.data.prepared import write_table
from ubg.report.disentanglement import disentanglement_section
from ubg.report.kinds import NUMBERS, kinds_section
from ubg.runtime.files import write_json
from ubg.search.filters import Filter
from ubg.search.gallery import Gallery
from ubg.search.labels import read_labels
from ubg.systems.phase4.folder import VQGAN, WEIGHTS, generator_folder
from ubg.vqgan.model.folder import load_vqgan, save_vqgan, vqgan_fingerprint
from ubg.vqgan.model.vqgan import VQGAN as Vqgan

MODEL, GALLERY = "models/phase4", "search/gallery"
BRANCH = f"{MODEL}_generator"
DIRECTION = dict.fromkeys(("r1", "r5", "r10", "map", "minp"), 12.5)
KIND = "TEXT+SK,9,12.5,12.5,12.5,12.5,12.5,10,2.5,1.5,3.5,9,8\n"


def read_model(folder):
    return ubg.load(folder / MODEL, device="cpu", both_scores=True)


def read_gallery(folder):
    with Gallery.open(folder / GALLERY) as gallery:
        ids = gallery.snapshot.ids_N[gallery.snapshot.alive_N]
        allowed_N = gallery.allowed_rows(Filter(cameras=("0",), tags=("night",)))
        vectors_ND = gallery.vectors(ids.tolist())
        return gallery.entries(ids), gallery.facets(), gallery.faults(), allowed_N, vectors_ND


def read_kinds(folder):
    found = SimpleNamespace(kinds=dict.fromkeys(NUMBERS, DIRECTION) | {"score": 1.0}, controls={})
    with chdir(folder):
        return kinds_section(SimpleNamespace(metrics={"clip_mer": found}))


def read_measures(folder):
    with chdir(folder):
        return disentanglement_section(None)


# The file that is damaged, and what reads it, given its folder.
READERS = {
    **dict.fromkeys(
        [
            f"{MODEL}/config.json",
            f"{MODEL}/model.safetensors",
            f"{MODEL}/tokenizer/tokenizer.json",
            f"{MODEL}/tokenizer/tokenizer_config.json",
            f"{BRANCH}/config.json",
            f"{BRANCH}/{WEIGHTS}",
            f"{BRANCH}/{VQGAN}/config.json",
        ],
        read_model,
    ),
    **dict.fromkeys(
        [f"models/vqgan/{name}" for name in ("config.json", "encoder.safetensors")],
        lambda folder: load_vqgan(folder / "models/vqgan"),
    ),
    **dict.fromkeys(
        [
            f"{GALLERY}/{name}"
            for name in ("manifest.json", "gallery.sqlite", "vectors.0.float32", "codes.0.uint8")
        ],
        read_gallery,
    ),
    f"{MODEL}_calibration.json": lambda folder: read_calibration(calibration_of(folder / MODEL)),
    "labels.csv": lambda folder: read_labels(folder / "labels.csv"),
    "metrics/irra.json": lambda folder: read_metrics(folder / "metrics", ["irra"]),
    "plots/clip_mer/kinds/kinds.csv": read_kinds,
    "plots/disentanglement/measures.csv": read_measures,
    **dict.fromkeys(
        [f"modalities/{name}" for name in ("images.csv", "queries.csv", "nir/index.json")],
        lambda folder: load_modalities(folder / "modalities"),
    ),
}


def write_folders(folder, monkeypatch):
    """A sound file of each; `ubg.load` has to be itself again before any is read."""
    _write_model(folder)
    _write_modalities(folder / "modalities")
    (folder / "search").mkdir()
    gallery_of_twelve(folder / "search", monkeypatch)
    (folder / "labels.csv").write_text("path,tags,camera\n" + "a/b.png,night; rain,3\n" * 9)
    part = {"t2i": DIRECTION, "i2t": DIRECTION}
    metrics = {"test": part, "val": part, "last": {"test": part}}
    more = {"controls": {"two": {"over_mean": 1.5}}, "generation": {"ce": 2.5}}
    (folder / "metrics").mkdir()
    write_json(folder / "metrics/irra.json", metrics | more)
    header = "kind,queries,r1,r5,r10,map,minp,map_mean,over_mean,over_mean_low,over_mean_high"
    path = folder / "plots/clip_mer/kinds/kinds.csv"
    path.parent.mkdir(parents=True)
    path.write_text(f"{header},map_left_out,map_exchanged\n" + KIND * 5)
    (folder / "plots/disentanglement").mkdir()
    measures = "phase3,embedding,linear body,50.5,49.5,51.5,33.3\n"
    (folder / "plots/disentanglement/measures.csv").write_text(
        "model,embedding,measure,value,low,high,chance\n" + measures * 5
    )
    Image.new("RGB", (8, 8)).save(folder / "plots/disentanglement/disentanglement.png")


def _write_model(folder):
    scale, generation = tiny_scale(), text_generation()
    save_untrained("phase4", folder / MODEL, scale, CAPTIONS * 4)
    for place in ("models/vqgan", f"{BRANCH}/{VQGAN}"):
        (folder / place).mkdir(parents=True)
        torch.manual_seed(0)
        save_vqgan(Vqgan(SMALL_VQGAN), folder / place)
    branch = generator_folder(folder / MODEL)
    likelihood = build_text(scale, generation).generator
    save_model(likelihood, str(branch / WEIGHTS))
    sizes = {"codes": CODES, "classes": len(likelihood.representative_K), "length": PATCHES}
    config = {"generation": generation.model_dump(mode="json"), **sizes}
    write_json(branch / "config.json", config | {"vqgan": vqgan_fingerprint(branch / VQGAN)})
    best = [0.25, 0.5, 0.75]
    calibration = Calibration(fingerprint="a" * 16, codes=None, images=9, cosine=best, both=best)
    write_calibration(calibration_of(folder / MODEL), calibration)


def _write_modalities(folder):
    folder.mkdir()
    image = {"split": "test", "pid": 1, "image_id": 2, "modality": "nir", "image_path": "a.jpg"}
    query = {"split": "test", "kind": "TEXT+NIR", "pid": 1, "caption": 'a man, "red"'}
    for name, row in (("images", image), ("queries", query | dict.fromkeys(CHANNELS, 2))):
        table = pd.DataFrame([row] * 9, columns=list(COLUMNS[name]))
        write_table(table, folder / f"{name}.csv")
    for name, channels in CHANNELS.items():
        (folder / name).mkdir()
        index = {"height": 2, "width": 2, "channels": channels, "fingerprint": "x" * 16}
        (folder / name / "index.json").write_text(json.dumps(index | {"dropped": []}))
        np.save(folder / name / "image_ids.npy", np.arange(5))
        (folder / name / "images.u8").write_bytes(bytes(5 * 4 * channels))
