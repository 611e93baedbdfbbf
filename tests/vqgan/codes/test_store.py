"""Ids are served by image id; whatever is wrong with a file is one line that names it."""

import fcntl
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import h5py
import numpy as np
import pytest

from ubg.vqgan.codes.store import ENCODING_VERSION, Origin, VqTokens, write_vq_tokens

SOURCE = Path(__file__).parents[3] / "src"
ORIGIN = Origin(
    codes=50,
    rows=4,
    columns=2,
    height=64,
    width=32,
    vqgan="1111111111111111",
    image_pack="2222222222222222",
    precision="bf16",
    changed_share=0.025,
)
IMAGE_IDS = np.array([3, 5, 6, 100, 101], np.int64)
IDS = np.random.default_rng(0).integers(0, 50, (5, 2, 8))
NOW = {
    "vqgan_fingerprint": ORIGIN.vqgan,
    "pack_fingerprint": ORIGIN.image_pack,
    "height": 64,
    "width": 32,
}


@pytest.fixture
def path(tmp_path):
    write_vq_tokens(tmp_path / "vq_tokens.h5", IDS, IMAGE_IDS, ORIGIN)
    return tmp_path / "vq_tokens.h5"


def test_what_was_written_is_read(path):
    tokens = VqTokens(path)
    assert len(tokens) == 5
    assert (tokens.codes, tokens.grid, tokens.origin) == (50, (4, 2), ORIGIN)
    assert tokens.ids_N2L.dtype == np.uint16
    assert np.array_equal(tokens.ids_N2L, IDS)
    assert np.array_equal(tokens.image_ids, IMAGE_IDS)


@pytest.fixture
def refuse_lock():
    """Make a file one that HDF5 can have no lock on, as on some network file systems."""
    files = []

    def refuse(path: Path) -> None:
        files.append(path.open("ab"))
        fcntl.flock(files[-1], fcntl.LOCK_EX)

    yield refuse
    for file in files:
        file.close()


def test_without_locks_it_is_written_and_read(path, refuse_lock):
    before = path.read_bytes()
    refuse_lock(path.with_name(".vq_tokens.h5.partial"))
    write_vq_tokens(path, IDS, IMAGE_IDS, ORIGIN)
    assert path.read_bytes() == before
    assert np.array_equal(VqTokens(path).ids_N2L, IDS)  # a lock stays with a file that is renamed


def test_locks_that_the_environment_asks_for_are_said_to_be_why(path, refuse_lock):
    """HDF5 reads its variable once in a process."""
    refuse_lock(path)
    done = subprocess.run(
        [sys.executable, "-c", f"from {VqTokens.__module__} import *; VqTokens({str(path)!r})"],
        env=os.environ | {"HDF5_USE_FILE_LOCKING": "TRUE", "PYTHONPATH": str(SOURCE)},
        capture_output=True,
        text=True,
    )
    assert re.search(
        "ValueError: .*: no usable VQ tokens: .*; unset HDF5_USE_FILE_LOCKING", done.stderr
    )


def test_a_full_disk_is_one_line_that_says_what_is_kept(tmp_path, monkeypatch):
    def fail(file):
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(ValueError, match=r"No space left on device; make room .* is kept$"):
        write_vq_tokens(tmp_path / "vq_tokens.h5", IDS, IMAGE_IDS, ORIGIN)
    assert list(tmp_path.iterdir()) == []


def test_batch_looks_up_every_image_and_its_mirror_image(path):
    tokens = VqTokens(path)
    image_ids = np.array([100, 3, 100, 101, 5])
    mirrored = np.array([False, True, True, False, False])
    batch = tokens.batch(image_ids, mirrored)
    assert batch.dtype == np.int64
    for ids, image_id, mirror in zip(batch, image_ids, mirrored, strict=True):
        assert np.array_equal(ids, IDS[IMAGE_IDS.tolist().index(image_id), int(mirror)])


@pytest.mark.parametrize("unknown", [-1, 0, 4, 99, 102])
def test_unknown_image_is_named(path, unknown):
    with pytest.raises(ValueError, match=rf"vq_tokens\.h5: has no image {unknown};"):
        VqTokens(path).batch(np.array([3, unknown]), np.array([False, True]))


def test_largest_codebook_of_uint16_survives(tmp_path):
    origin = Origin(**{**vars(ORIGIN), "codes": 65536})
    ids = np.full((5, 2, 8), 65535)
    write_vq_tokens(tmp_path / "x.h5", ids, IMAGE_IDS, origin)
    assert np.array_equal(VqTokens(tmp_path / "x.h5").ids_N2L, ids)


def test_same_input_gives_the_same_bytes_at_any_time(path, tmp_path):
    time.sleep(1.1)  # HDF5 can keep times, in seconds
    write_vq_tokens(tmp_path / "again.h5", IDS.astype(np.int32), IMAGE_IDS, ORIGIN)
    assert (tmp_path / "again.h5").read_bytes() == path.read_bytes()


def test_what_was_made_from_the_same_is_accepted(path):
    VqTokens(path).check_matches(**NOW)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"vqgan_fingerprint": "abc"}, "another VQGAN (1111111111111111, now abc);"),
        ({"pack_fingerprint": "abc"}, "another image pack (2222222222222222, now abc);"),
        ({"width": 16}, "another resolution (64x32, now 64x16);"),
        (
            {"vqgan_fingerprint": "abc", "height": 128},
            "another VQGAN (1111111111111111, now abc) and another resolution (64x32, now 128x32);",
        ),
    ],
)
def test_what_differs_is_named_and_nothing_else(path, changes, expected):
    with pytest.raises(ValueError, match="dvc repro precompute_vq_tokens") as raised:
        VqTokens(path).check_matches(**NOW | changes)
    assert f"vq_tokens.h5: was made from {expected}" in str(raised.value)


def test_other_encoding_code_is_refused(path, monkeypatch):
    monkeypatch.setattr("ubg.vqgan.codes.store.ENCODING_VERSION", ENCODING_VERSION + 1)
    with pytest.raises(ValueError, match="from another encoding code version"):
        VqTokens(path).check_matches(**NOW)


def replace(name, **settings):
    """A fault that puts another dataset in the place of `name`."""

    def fault(file, folder):
        del file[name]
        file.create_dataset(name, **settings)

    return fault


def set_attribute(name, value):
    def fault(file, folder):
        file.attrs[name] = value

    return fault


def delete_attribute(file, folder):
    del file.attrs["image_pack"]


def make_group(file, folder):
    del file["ids"]
    file.create_group("ids")


def make_soft_link(file, folder):
    file.move("ids", "other")
    file["ids"] = h5py.SoftLink("/other")


def make_external_link(file, folder):
    with h5py.File(folder / "secret.h5", "w") as other:
        other["ids"] = IDS.astype(np.uint16)
    del file["ids"]
    file["ids"] = h5py.ExternalLink("secret.h5", "/ids")


def make_virtual(file, folder):
    with h5py.File(folder / "secret.h5", "w") as other:
        other["ids"] = IDS.astype(np.uint16)
    layout = h5py.VirtualLayout((5, 2, 8), np.uint16)
    layout[:] = h5py.VirtualSource(str(folder / "secret.h5"), "ids", (5, 2, 8))
    del file["ids"]
    file.create_virtual_dataset("ids", layout)


def make_external_storage(file, folder):
    (folder / "secret.bin").write_bytes(IDS.astype(np.uint16).tobytes())
    del file["ids"]
    file.create_dataset(
        "ids", (5, 2, 8), np.uint16, external=[(str(folder / "secret.bin"), 0, 160)]
    )


FAULTS = [
    (replace("ids", data=IDS.astype(np.int32)), "'ids' is int32, not uint16"),
    (replace("ids", data=IDS.astype(">u2")), "'ids' is >u2, not uint16"),
    (replace("ids", data=IDS[0].astype(np.uint16)), "'ids' has 2 dimensions, not 3"),
    (replace("ids", data=IDS[:4].astype(np.uint16)), "'ids' has shape [4, 2, 8] where 5 images"),
    (replace("ids", data=IDS[:, :1].astype(np.uint16)), "'ids' has shape [5, 1, 8]"),
    (replace("ids", data=IDS[..., :7].astype(np.uint16)), "a grid of 4x2 need [5, 2, 8]"),
    (replace("ids", data=(IDS + 1).astype(np.uint16)), "id 50 lies beyond the 50 codes"),
    (replace("ids", shape=(2**40, 2, 8), dtype=np.uint16, chunks=(64, 2, 8)), "more than the file"),
    (replace("image_ids", shape=(2**40,), dtype=np.int64, chunks=(64,)), "more than the file"),
    (replace("image_ids", data=IMAGE_IDS.astype(float)), "'image_ids' is float64, not int64"),
    (replace("image_ids", data=np.array([3, 5, 5, 6, 7])), "image 5 follows image 5"),
    (replace("image_ids", data=np.array([3, 5, 4, 6, 7])), "image 4 follows image 5"),
    (replace("image_ids", data=np.zeros(0, np.int64)), "where 0 images"),
    (replace("image_ids", data=np.bytes_(b"text")), "'image_ids' is |S4, not int64"),
    (set_attribute("codes", 0), "attribute 'codes' is 0"),
    (set_attribute("codes", 2**40), "attribute 'codes' is 1099511627776"),
    (set_attribute("codes", "50"), "attribute 'codes' is object of shape (), not one plain int"),
    (set_attribute("codes", [50, 50]), "attribute 'codes' is int64 of shape (2,)"),
    (set_attribute("vqgan", h5py.Empty("f")), "attribute 'vqgan' is float32 of shape None"),
    (set_attribute("vqgan", "text of variable length"), "attribute 'vqgan' is object"),
    (set_attribute("vqgan", np.bytes_(b"\xff")), "can't decode byte 0xff"),
    (set_attribute("rows", -4), "a side of the grid or of the images is less than 1"),
    (set_attribute("format_version", 2), "has format 2, this program reads 1"),
    (set_attribute("format_version", [1, 2]), "attribute 'format_version' is int64 of shape (2,)"),
    (delete_attribute, "attribute 'image_pack' is missing"),
    (make_group, "'ids' is no dataset"),
    (make_soft_link, "'ids' is missing or a link to elsewhere"),
    (make_external_link, "'ids' is missing or a link to elsewhere"),
    (make_virtual, "'ids' keeps its data in other files"),
    (make_external_storage, "'ids' keeps its data in other files"),
]


@pytest.mark.parametrize(("fault", "expected"), FAULTS)
def test_faulty_file_is_one_line(path, fault, expected):
    with h5py.File(path, "r+") as file:
        fault(file, path.parent)
    assert_refused(path, expected)


def assert_refused(path, expected):
    with pytest.raises(ValueError, match="dvc repro precompute_vq_tokens") as raised:
        VqTokens(path)
    message = str(raised.value)
    assert message.startswith(f"{path}: no usable VQ tokens: ")
    assert expected in message
    assert "\n" not in message


def test_missing_file_and_folder(tmp_path):
    assert_refused(tmp_path / "none.h5", "No such file")
    assert_refused(tmp_path, "is not a file")


@pytest.mark.parametrize("content", [b"", b"text", b"\x89HDF\r\n\x1a\n"])
def test_file_that_is_no_hdf5(tmp_path, content):
    (tmp_path / "x.h5").write_bytes(content)
    assert_refused(tmp_path / "x.h5", "")


def test_truncated_file(path):
    content = path.read_bytes()
    for length in (8, 100, len(content) // 2, len(content) - 1):
        path.write_bytes(content[:length])
        assert_refused(path, "")


def test_damage_is_refused_or_harmless(path):
    content = path.read_bytes()
    messages = []
    for position in np.random.default_rng(1).choice(len(content), 300, replace=False):
        path.write_bytes(content[:position] + b"\xff" + content[position + 1 :])
        try:
            tokens = VqTokens(path)
        except ValueError as error:
            messages.append(str(error))
        else:
            assert tokens.ids_N2L.shape == (5, 2, 8)
            assert tokens.ids_N2L.max() < tokens.codes
    assert len(messages) > 10
    for message in messages:
        assert re.fullmatch(r"[^\n]+dvc repro precompute_vq_tokens`", message)


def test_refused_ids_leave_the_old_file(path):
    before = path.read_bytes()
    with pytest.raises(ValueError, match="id 50 lies beyond the 50 codes"):
        write_vq_tokens(path, IDS + 1, IMAGE_IDS, ORIGIN)
    assert path.read_bytes() == before
    assert [entry.name for entry in path.parent.iterdir()] == ["vq_tokens.h5"]
