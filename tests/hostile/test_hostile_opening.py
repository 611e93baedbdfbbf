"""Files that are no files, too large, or dear to read: refused before anything reads them."""

import io
import os
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from ubg.calibration import read_calibration
from ubg.comparison.curves import read_curves
from ubg.comparison.system_metrics import read_metrics
from ubg.data.annotations.formats.text_file import open_text
from ubg.data.images import decode
from ubg.data.images.decode import decode_image, read_header
from ubg.data.images.image_pack import ImagePack
from ubg.data.images.pack import pack_images
from ubg.data.prepared import load_prepared
from ubg.evaluation.queries import read_queries
from ubg.foils.cases import read_cases
from ubg.foils.measuring.results import read_results
from ubg.params import load_params
from ubg.plan.plan import training_set
from ubg.report.cost import stage_costs, weights
from ubg.report.dataset import read_markdown, read_report
from ubg.report.origin import read_lock
from ubg.report.pictures import sheet_uri
from ubg.runtime.checkpoint import load_state
from ubg.runtime.files import file_fingerprint
from ubg.runtime.opening import Kind, read_json
from ubg.search.labels import read_labels
from ubg.search.manifest import read_manifest
from ubg.search.picture import open_picture
from ubg.search.serving.pictures import uploaded_picture
from ubg.towers.pretrained import read_config as read_tower
from ubg.towers.sources import read_state_dict
from ubg.vqgan.codes.store import VqTokens
from ubg.vqgan.model.folder import load_vqgan, vqgan_fingerprint
from ubg.vqgan.model.taming import read_config

ROOT = Path(__file__).parents[2]
LAUGHS = "a0: &a0 [x, x]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 12)
)
HEADER = '"split","pid","raw_id","image_id","image_path","caption_id","caption"\n'
ROW = '"train",0,1,0,"a.jpg",0,"A man."\n'


def open_annotations(path):
    with open_text(path) as file:
        file.read()


def plan_custom(path):
    """The size of a data set without published counts."""
    params = load_params(ROOT)
    data = params.data.model_copy(update={"synthpedes": None, "counts": {}})
    training_set(params.model_copy(update={"data": data}), path)


READERS = {
    "config.json": lambda path: read_json(path),
    "model.bin": read_state_dict,
    "model.safetensors": read_state_dict,
    "annotations.csv": lambda path: load_prepared(path.parent),
    "index.json": lambda path: ImagePack(path.parent),
    "queries.csv": read_queries,
    "foils.csv": read_results,
    "cases.json": lambda path: read_cases(path.parent),
    "image.png": lambda path: decode_image(path, 4, 4),
    "reid_raw.json": open_annotations,
    "model.yaml": read_config,
    "labels.csv": read_labels,
    "manifest.json": lambda path: read_manifest(path.parent),
    "calibration.json": read_calibration,
    "report.json": read_report,
    "prepared.json": plan_custom,
    "report.md": read_markdown,
    "val_r1.tsv": lambda path: read_curves(path.parent),
    "irra.json": lambda path: read_metrics(path.parent, ["irra"]),
    "sheet.png": sheet_uri,
    "dvc.lock": read_lock,
    "weights.safetensors": weights,
    "state.pt": load_state,
    "codes.h5": VqTokens,
    "file": file_fingerprint,
}
TEXTS = {  # those of them that are texts, by how one is nested deeply
    "[": [*(name for name in READERS if name.endswith(".json")), "model.yaml", "dvc.lock"],
    "": [*(name for name in READERS if name.endswith((".csv", ".tsv"))), "report.md"],
}
TEXTS["["].remove("reid_raw.json")  # opened alone here


@pytest.mark.parametrize("name", READERS)
@pytest.mark.parametrize("kind", ["pipe", "device", "folder", "socket's end"])
def test_what_is_no_regular_file_is_not_read(tmp_path, name, kind):
    path = tmp_path / name
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "device":
        path.symlink_to("/dev/zero")
    elif kind == "folder":
        path.mkdir()
    else:
        path.symlink_to("/dev/full")
    with pytest.raises(ValueError, match=r"is not a file") as caught:
        READERS[name](path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", READERS)
def test_a_file_larger_than_its_kind_is_not_read(tmp_path, name):
    with (tmp_path / name).open("wb") as file:
        file.truncate(Kind.WEIGHTS + 1)  # a hole, which takes no room
    with pytest.raises(ValueError, match=r"has 137,438,953,473 bytes, more than") as caught:
        READERS[name](tmp_path / name)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", TEXTS["["])
@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 50_000, "[" * 500 + "]" * 500])
def test_deep_nesting_is_refused_in_one_line(tmp_path, name, text):
    (tmp_path / name).write_text(text)
    refuses_in_one_line(tmp_path / name)


@pytest.mark.parametrize("name", [*TEXTS["["], *TEXTS[""]])
def test_what_is_not_utf_8_is_refused_in_one_line(tmp_path, name):
    (tmp_path / name).write_bytes(b"caf\xe9, \xff\xfe" * 10)
    refuses_in_one_line(tmp_path / name)


@pytest.mark.parametrize("name", sorted(READERS.keys() - {"file", "report.md", "reid_raw.json"}))
@pytest.mark.parametrize("content", [b"", b'{"a": [1, 2', b"PK\3\4\0\0", b"\x89PNG\r\n\x1a\n\0\0"])
def test_what_is_cut_off_is_refused_in_one_line(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    refuses_in_one_line(tmp_path / name)


def refuses_in_one_line(path):
    with pytest.raises(ValueError, match=r".") as caught:
        READERS[path.name](path)
    message = str(caught.value)
    assert type(caught.value) is ValueError, "a library's own error says nothing of our files"
    assert "\n" not in message
    assert len(message) < 1000
    assert path.name in message or f"{path.parent}: " in message


def test_costs_that_are_no_files_are_passed_over(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "costs").mkdir()
    (tmp_path / "dvc.yaml").write_text("stages: {a: {cmd: a}}")
    (tmp_path / "params.yaml").write_text("{}")
    os.mkfifo(tmp_path / "costs/train.json")
    (tmp_path / "costs/pack.json").write_text("[" * 100_000)
    assert stage_costs() == []


@pytest.mark.parametrize("text", ["[" * 100_000, "[]", '{"model_type": 7}'])
def test_a_config_of_a_tower_that_is_none_is_refused_in_one_line(tmp_path, text):
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(ValueError, match=r"has no readable config") as caught:
        read_tower(str(tmp_path))
    assert "\n" not in str(caught.value)


def test_a_config_of_a_tower_that_is_too_large_is_not_read(tmp_path):
    with (tmp_path / "config.json").open("wb") as file:
        file.truncate(Kind.CONFIG + 1)
    with pytest.raises(ValueError, match=r"has 1,048,577 bytes, more than"):
        read_tower(str(tmp_path))


@pytest.mark.parametrize("file", ["config.json", "encoder.safetensors"])
def test_pipes_in_a_folder_of_a_vqgan(tmp_path, file):
    os.mkfifo(tmp_path / file)
    for read in (load_vqgan, vqgan_fingerprint):
        with pytest.raises(ValueError, match=r"is not a file|cannot be read"):
            read(tmp_path)


@pytest.mark.parametrize("text", [LAUGHS, "a: &a [*a]", "[" * 10**5, "a: 1\n" * 10**5])
def test_yaml_of_aliases_or_many_values_is_refused_in_one_line(tmp_path, text):
    (tmp_path / "params.yaml").write_text(text)
    with pytest.raises(ValueError, match=r"^params\.yaml") as caught:
        load_params(tmp_path)
    assert len(str(caught.value)) < 1000
    assert "\n" not in str(caught.value)


def test_messages_about_a_value_are_of_bounded_length(tmp_path):
    text = (ROOT / "params.yaml").read_text()
    (tmp_path / "params.yaml").write_text(text.replace("seed: 0", "seed: [" + "1, " * 10**5 + "]"))
    with pytest.raises(ValueError, match=r"params\.yaml") as caught:
        load_params(tmp_path)
    assert len(str(caught.value)) < 5000


def content(kind: str) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (16, 16)).save(file, kind)
    return file.getvalue()


def many_scans() -> bytes:
    file = io.BytesIO()
    Image.new("L", (6000, 6000)).save(file, "JPEG", progressive=True, quality=1)
    data = file.getvalue()
    start, end = data.index(b"\xff\xda"), data.rindex(b"\xff\xd9")
    return data[:start] + data[start:end] * 60 + data[end:]


def test_a_progressive_jpeg_of_many_scans_is_refused_before_it_is_decoded(tmp_path):
    path = tmp_path / "x.jpg"
    path.write_bytes(many_scans())
    with pytest.raises(ValueError, match=r"x\.jpg: has [0-9,]+ scans of 36,000,000 pixels"):
        decode_image(path, 4, 4)
    with pytest.raises(ValueError, match=r"^image: has [0-9,]+ scans of 36,000,000 pixels"):
        uploaded_picture(path.read_bytes())


CHUNK = struct.pack(">I4sI", 0, b"abCd", zlib.crc32(b"abCd"))
EXIF = b"\xff\xe1\xff\xffExif\0\0" + b"x" * 65527
# Three million empty parts, and a part that is put together from hundreds.
DEAR = {
    "chunks.png": lambda: content("PNG")[:33] + CHUNK * 3_000_000 + content("PNG")[33:],
    "comments.jpg": lambda: content("JPEG")[:2] + b"\xff\xfe\0\2" * 3_000_000 + content("JPEG")[2:],
    "exif.jpg": lambda: content("JPEG")[:2] + EXIF * 800 + content("JPEG")[2:],
}


@pytest.mark.parametrize("name", DEAR)
def test_an_image_of_millions_of_parts_is_read_no_longer_than_allowed(tmp_path, monkeypatch, name):
    path = tmp_path / name
    path.write_bytes(DEAR[name]())
    monkeypatch.setattr(decode, "SECONDS", 0.1)
    for read in (read_header, lambda path: decode_image(path, 4, 4), open_picture):
        with pytest.raises(ValueError, match=rf"{name}: takes more than 0\.1 s to decode"):
            read(path)
    with pytest.raises(ValueError, match=r"^image: takes more than 0\.1 s to decode"):
        decode_image(path.read_bytes(), 4, 4)


def test_a_file_read_in_blocks_gives_the_pixels_of_pil(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (300, 200, 3), np.uint8)
    for kind in ("PNG", "JPEG", "BMP", "WEBP", "GIF"):
        path = tmp_path / "x"
        Image.fromarray(pixels).save(path, kind)
        with Image.open(path) as image:
            expected = np.asarray(image.convert("RGB"))
        assert (decode_image(path, 300, 200) == expected).all()
        assert (decode_image(path.read_bytes(), 300, 200) == expected).all()


def test_an_image_of_one_long_row_is_refused(tmp_path):
    Image.new("1", (2**15 + 1, 1)).save(tmp_path / "x.png")
    with pytest.raises(ValueError, match=r"has 32769x1 pixels, more than 32,768 on a side"):
        decode_image(tmp_path / "x.png", 4, 4)


@pytest.mark.parametrize(
    "text",
    [
        "",
        HEADER,
        HEADER + ROW + '"train",0,1,0,"a.jpg",0,"A man with an open quote.\n' + ROW * 3,
        HEADER + ROW + '"train",0,1\n',
        HEADER + ROW.replace(",0,1", ",nan,1"),
        HEADER + ROW.replace(",0,1", ",1e40,1"),
        HEADER + ROW.replace('"train"', "7"),
        HEADER.replace("pid", "x") + ROW,
        HEADER.replace("raw_id", "pid") + ROW,
    ],
)
def test_a_prepared_table_that_is_none_is_refused(tmp_path, text):
    (tmp_path / "annotations.csv").write_text(text)
    with pytest.raises(ValueError, match=r"annotations\.csv: cannot be read") as caught:
        load_prepared(tmp_path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("path", ["../secret.png", "/tmp/secret.png", "a/../../secret.png", "a\0b"])
def test_packing_reads_nothing_outside_of_the_images(tmp_path, path):
    """Also where some images may be broken: the table is another than was prepared."""
    Image.new("RGB", (4, 4)).save(tmp_path / "secret.png")
    (tmp_path / "imgs").mkdir()
    Image.new("RGB", (4, 4)).save(tmp_path / "imgs" / "a.png")
    (tmp_path / "annotations.csv").write_text(
        HEADER + ROW.replace("a.jpg", "a.png") + ROW.replace("a.jpg", path).replace(",1,0", ",1,1")
    )
    size = load_params().preset.image.model_copy(update={"max_broken": 5})
    with pytest.raises(ValueError, match=r"image path .* leaves"):
        pack_images(load_prepared(tmp_path), tmp_path / "imgs", size, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("value", [float("nan"), float("-inf")])
@pytest.mark.parametrize("name", ["w.pt", "w.safetensors"])
def test_weights_that_are_not_finite_are_refused(tmp_path, name, value):
    from safetensors.torch import save_file

    weights = {"a": torch.zeros(3), "b": torch.tensor([0.0, value])}
    (torch.save if name == "w.pt" else save_file)(weights, tmp_path / name)
    with pytest.raises(ValueError, match=r"weight 'b' is not finite"):
        read_state_dict(tmp_path / name)


@pytest.mark.parametrize("content", [b"hello world", b"", b"PK\x05\x06" + bytes(18), b"\x80\x02."])
def test_texts_and_broken_archives_are_no_weights(tmp_path, content):
    (tmp_path / "w.bin").write_bytes(content)
    with pytest.raises(ValueError, match=r"w\.bin: cannot be read as weights") as caught:
        read_state_dict(tmp_path / "w.bin")
    assert "\n" not in str(caught.value)


def test_ids_of_a_pack_are_checked(tmp_path):
    index = '{"height": 1, "width": 1, "channels": 3, "fingerprint": "x"}'
    (tmp_path / "index.json").write_text(index)
    (tmp_path / "images.u8").write_bytes(bytes(6))
    for ids in (np.array([1, 0]), np.array([0.0, 1.0]), np.array([[0, 1]]), np.array([], np.int64)):
        np.save(tmp_path / "image_ids.npy", ids)
        with pytest.raises(ValueError, match="is no image pack"):
            ImagePack(tmp_path)
