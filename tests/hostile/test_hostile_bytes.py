"""Files of every kind, damaged at random by a seed: read, or refused in one line, in bounded time.

`UBG_HOSTILE=1500 pytest tests/hostile/test_hostile_bytes.py` tries as many, over all readers;
`UBG_HOSTILE_SEED=1` others.
"""

import json
import os
import random
import resource
import socket
import sys
import time

import numpy as np
import pytest
import sentencepiece
import sound_folders
import torch
from PIL import Image
from safetensors.torch import save_file

from ubg.comparison.curves import read_curves
from ubg.data.annotations.table import read_annotations
from ubg.data.images.decode import decode_image
from ubg.data.images.image_pack import ImagePack
from ubg.data.prepared import load_prepared
from ubg.data.text.tokenizers import load_tokenizer
from ubg.data.text.unigram import fit_tokenizer
from ubg.evaluation.queries import read_queries
from ubg.foils.cases import Case, read_cases, write_cases
from ubg.foils.measuring.results import read_results
from ubg.params import load_params
from ubg.report.cost import weights as count_weights
from ubg.report.dataset import read_report
from ubg.report.origin import read_lock
from ubg.runtime.checkpoint import load_state
from ubg.runtime.opening import read_json
from ubg.search.database import create_database, reading
from ubg.towers.sources import read_state_dict
from ubg.vqgan.codes.store import Origin, VqTokens, write_vq_tokens
from ubg.vqgan.model.taming import read_config, read_tensors

VARIANTS = int(os.environ.get("UBG_HOSTILE", "60"))
SEED = int(os.environ.get("UBG_HOSTILE_SEED", "0"))
SECONDS, GROWTH = 10, 2**20  # kilobytes
TABLE = '"split","pid","raw_id","image_id","image_path","caption_id","caption"\n' + "".join(
    f'"train",{n},{n},{n},"a/{n}.jpg",{n},"A man, number ""{n}""."\n' for n in range(20)
)
PUBLISHED = {
    "model": {
        "target": "taming.models.vqgan.VQModel",
        "params": {
            "embed_dim": 8,
            "n_embed": 16,
            "ddconfig": {
                "ch": 32,
                "ch_mult": [1, 2],
                "num_res_blocks": 1,
                "attn_resolutions": [16],
                "resolution": 32,
                "z_channels": 8,
                "double_z": False,
                "in_channels": 3,
                "out_ch": 3,
            },
        },
    }
}
ORIGIN = Origin(16, 2, 2, 8, 8, "a" * 16, "b" * 16, "fp32", 0.0)


def read_gallery(folder):
    with reading(folder) as database:
        return [
            database.execute(f"SELECT * FROM {table}").fetchall()
            for table in ("folders", "images", "state")
        ]


# The file that is damaged, and what reads it, given its folder.
READERS = {
    "model.json": lambda folder: read_json(folder / "model.json"),
    "model.pt": lambda folder: read_state_dict(folder / "model.pt"),
    "model.ckpt": lambda folder: read_tensors(folder / "model.ckpt"),
    "model.safetensors": lambda folder: read_state_dict(folder / "model.safetensors"),
    "annotations.csv": load_prepared,
    "index.json": ImagePack,
    "image_ids.npy": ImagePack,
    "queries.csv": lambda folder: read_queries(folder / "queries.csv"),
    "foils.csv": lambda folder: read_results(folder / "foils.csv"),
    "cases.json": read_cases,
    "codes.h5": lambda folder: VqTokens(folder / "codes.h5"),
    "model.yaml": lambda folder: read_config(folder / "model.yaml"),
    "params.yaml": load_params,
    "x.png": lambda folder: decode_image(folder / "x.png", 4, 4),
    "x.jpg": lambda folder: decode_image(folder / "x.jpg", 4, 4),
    "x.gif": lambda folder: decode_image(folder / "x.gif", 4, 4),
    "x.webp": lambda folder: decode_image(folder / "x.webp", 4, 4),
    "x.bmp": lambda folder: decode_image(folder / "x.bmp", 4, 4),
    "tokenizer/tokenizer.json": lambda folder: load_tokenizer(folder / "tokenizer"),
    "spiece/spiece.model": lambda folder: load_tokenizer(folder / "spiece"),
    "annotations/reid_raw.json": lambda folder: read_annotations("cuhk_pedes", folder),
    "report.json": lambda folder: read_report(folder / "report.json"),
    "curves/val_r1.tsv": lambda folder: read_curves(folder / "curves"),
    "dvc.lock": lambda folder: read_lock(folder / "dvc.lock"),
    "state.pt": lambda folder: load_state(folder / "state.pt"),
    "counted.safetensors": lambda folder: count_weights(folder / "counted.safetensors"),
    "gallery.sqlite": read_gallery,
    **sound_folders.READERS,
}
MANY = ("params.yaml", "annotations/reid_raw.json")  # that may have several faults, a line each
SPLICED = (b"\0", b'"', b"[" * 2000, b"NaN", b"\xff" * 64, b"1e999", b"../" * 40, b"\n", b"&a *a")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A sound file of each kind."""
    folder = tmp_path_factory.mktemp("files")
    (folder / "annotations").mkdir()
    (folder / "imgs").mkdir()
    weights = {"a.weight": torch.ones(3, 4), "b": torch.zeros(2)}
    torch.save(weights, folder / "model.pt")
    torch.save({"state_dict": weights}, folder / "model.ckpt")
    save_file(weights, folder / "model.safetensors")
    save_file(weights, folder / "counted.safetensors")
    torch.save({"model": weights, "optimiser": {}, "progress": {"epoch": 1}}, folder / "state.pt")
    (folder / "model.json").write_text(json.dumps({"a": [1, {"b": 2.5}], "c": None}))
    (folder / "annotations.csv").write_text(TABLE)
    counts = {"images": 1, "identities": 1, "captions": 1}
    report = {"layout": "a", "records": 1, "splits": {"val": counts}, "notes": ["b"]}
    report["distributions"] = {"words": {"val": {"min": 1, "median": 1.5, "max": 2}}}
    report["oddities"] = [{"name": "c", "counts": {"val": 1}, "example": "d"}]
    (folder / "report.json").write_text(json.dumps(report))
    (folder / "curves").mkdir()
    (folder / "curves/val_r1.tsv").write_text("step\tval_r1\n1\t20.5\n2\t30.25\n")
    item = "{path: data/a, hash: md5, md5: 0f, size: 3}"
    (folder / "dvc.lock").write_text(
        f"stages:\n  a:\n    cmd: a\n    deps:\n    - {item}\n    outs:\n    - {item}\n"
    )
    create_database(folder)
    index = {"height": 2, "width": 2, "channels": 3, "fingerprint": "x" * 16, "dropped": []}
    (folder / "index.json").write_text(json.dumps(index))
    np.save(folder / "image_ids.npy", np.arange(5))
    (folder / "images.u8").write_bytes(bytes(60))
    header = "caption_id,image_id,pid,first_rank,average_precision,inp\n"
    (folder / "queries.csv").write_text(header + "0,0,0,1,1.000000,1.000000\n" * 9)
    (folder / "foils.csv").write_text("kind,person,cosine\n" + "hat,1,1\n" * 9)
    write_cases(folder, [Case("hat", 0, 0, 1, "a", "b", None, "c", "d")] * 4, drawn=True)
    write_vq_tokens(folder / "codes.h5", np.zeros((3, 2, 4), int), np.arange(3), ORIGIN)
    (folder / "model.yaml").write_text(json.dumps(PUBLISHED))
    for name in ("params.yaml", "configs"):
        (folder / name).symlink_to(os.path.abspath(name))  # noqa: PTH100
    pixels = np.random.default_rng(0).integers(0, 256, (24, 16, 3), np.uint8)
    for kind in ("png", "jpg", "gif", "webp", "bmp"):
        Image.fromarray(pixels).save(folder / f"x.{kind}")
        Image.fromarray(pixels).save(folder / "imgs" / f"{kind}.png")
    record = {"captions": ["A man.", "A person."], "processed_tokens": [["a"], ["b"]]}
    records = [
        record | {"split": split, "file_path": f"{kind}.png", "id": number}
        for number, (split, kind) in enumerate(
            zip(("train", "val", "test", "test"), ("png", "jpg", "gif", "bmp"), strict=True), 1
        )
    ]
    (folder / "annotations/reid_raw.json").write_text(json.dumps(records))
    captions = ["a man in a red coat", "a woman in blue jeans"] * 4
    fit_tokenizer(captions, 60, folder / "tokenizer")
    (folder / "spiece").mkdir()
    ids = {"pad_id": 0, "eos_id": 1, "unk_id": 2, "bos_id": -1}
    with (folder / "spiece/spiece.model").open("wb") as model:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(captions), model_writer=model, vocab_size=22, **ids
        )
    with pytest.MonkeyPatch.context() as monkeypatch:
        sound_folders.write_folders(folder, monkeypatch)
    return folder


def damaged(content: bytes, draw: random.Random) -> bytes:
    """The content with a few bytes changed, cut off, repeated or put in."""
    data = bytearray(content)
    for _ in range(draw.randint(1, 3)):
        place = draw.randrange(len(data) + 1)
        match draw.randrange(5):
            case 0:
                data[place : place + 1] = bytes([draw.randrange(256)])
            case 1:
                del data[place:]
            case 2:
                data[place:place] = draw.choice(SPLICED)
            case 3:
                end = draw.randrange(len(data) + 1)
                data[place:place] = data[min(place, end) : max(place, end)] * 2
            case 4:
                del data[place : place + draw.randint(1, 8)]
    return bytes(data)


def test_an_archive_of_a_later_version_is_refused_in_one_line(tmp_path):
    torch.save({"a": torch.ones(2)}, tmp_path / "model.pt")
    data = bytearray((tmp_path / "model.pt").read_bytes())
    data[data.rindex(b"PK\1\2") + 6] = 255
    (tmp_path / "model.pt").write_bytes(data)
    with pytest.raises(ValueError, match=r"cannot be read as weights: zip file version 25\.5$"):
        read_state_dict(tmp_path / "model.pt")


def test_sound_files_are_read(folder):
    for name, read in READERS.items():
        assert read(folder) is not None, name


OPENED: list[str] = []
WATCHING: list[bool] = []


def watch(event, arguments):
    if event == "open" and WATCHING and isinstance(arguments[0], str):
        OPENED.append(os.path.abspath(arguments[0]))  # noqa: PTH100


def test_damaged_files_are_read_or_refused_in_one_line(folder, monkeypatch):
    def refuse(*arguments, **options):
        raise AssertionError(f"looks at the network: {arguments}")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    READERS["annotations.csv"](folder)  # libraries are imported once, and then read time zones
    sys.addaudithook(watch)  # there is no way to take it back: `WATCHING` turns it off
    allowed = (str(folder), sys.prefix, sys.base_prefix, os.getcwd(), "/dev", "/proc", "/tmp/torch")  # noqa: PTH109
    draw, names = random.Random(SEED), sorted(READERS)
    for number in range(VARIANTS):
        name = names[number % len(names)]
        sound = (folder / name).read_bytes()
        hurt, told = damaged(sound, draw), ""
        path = folder / name
        was_link = path.readlink() if path.is_symlink() else None
        path.unlink()
        path.write_bytes(hurt)
        before, began = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.monotonic()
        WATCHING.append(True)
        try:
            READERS[name](folder)
        except ValueError as error:
            told = str(error)
            assert type(error) is ValueError, (name, told)  # noqa: PT017 -- others name no file
        finally:
            WATCHING.clear()
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
        assert time.monotonic() - began < SECONDS, (name, number)
        assert grown < GROWTH, (name, number, grown)
        assert len(told.replace(str(folder), "")) < (10_000 if name in MANY else 1_000), name
        if name not in MANY:
            assert "\n" not in told, (name, number, told)
        outside = [opened for opened in OPENED if not opened.startswith(allowed)]
        assert outside == [], (name, number)
        OPENED.clear()
        path.unlink()
        if was_link is None:
            path.write_bytes(sound)
        else:
            path.symlink_to(was_link)
