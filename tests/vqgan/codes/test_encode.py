"""Ids are those of the VQGAN; the file has the same bytes however the work was cut."""

import hashlib
import json
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from ubg.data.images.image_pack import ImagePack
from ubg.params import VqTokens as Params
from ubg.runtime.system_errors import told_in_one_line
from ubg.vqgan.codes import encode as vq_encode
from ubg.vqgan.codes.encode import Progress, encode_pack, encode_rows
from ubg.vqgan.codes.store import VqTokens
from ubg.vqgan.model.architecture import Architecture
from ubg.vqgan.model.folder import save_vqgan, vqgan_fingerprint
from ubg.vqgan.model.vqgan import VQGAN

SOURCE = Path(__file__).parents[3] / "src"
ARCHITECTURE = Architecture(
    codes=40, code_dim=8, latent_channels=8, channels=32, multipliers=(1, 1), blocks=1, patch=4
)
IMAGES, HEIGHT, WIDTH = 22, 32, 16
FP32 = Params(batch_size=4, precision="fp32")
ENCODE = """
import sys, time
from pathlib import Path
import numpy as np
import torch
torch.set_num_threads(1)
from ubg.vqgan.codes import encode as vq_encode
from ubg.data.images.image_pack import ImagePack
from ubg.vqgan.model.folder import load_vqgan, vqgan_fingerprint
from ubg.params import VqTokens
seconds = float(sys.argv[1])
encode_rows = vq_encode.encode_rows
def slow(*arguments):
    assert seconds >= 0, "nothing is left to encode"
    time.sleep(seconds)
    while Path("hold").exists() and np.fromfile(next(Path().glob("checkpoints/*/*")), "i4").any():
        time.sleep(0.05)
    return encode_rows(*arguments)
vq_encode.encode_rows = slow
vq_encode.encode_pack(
    load_vqgan("vqgan", decoder=False), vqgan_fingerprint("vqgan"), ImagePack("images"),
    VqTokens(batch_size=4, precision="fp32"), Path("vq_tokens.h5"),
)
"""


STARTED: list[subprocess.Popen] = []


def write_pack(folder, pixels):
    """An image pack as `ubg.data.images.pack` writes it."""
    folder.mkdir()
    pixels.tofile(folder / "images.u8")
    np.save(folder / "image_ids.npy", np.arange(len(pixels)) * 3)
    index = {
        "height": pixels.shape[1],
        "width": pixels.shape[2],
        "channels": 3,
        "fingerprint": hashlib.sha256(pixels.tobytes()).hexdigest()[:16],
    }
    (folder / "index.json").write_text(json.dumps(index))
    return ImagePack(folder)


@pytest.fixture
def pixels():
    return np.random.default_rng(0).integers(0, 256, (IMAGES, HEIGHT, WIDTH, 3), np.uint8)


@pytest.fixture
def pack(tmp_path, pixels):
    return write_pack(tmp_path / "images", pixels)


@pytest.fixture
def vqgan(tmp_path):
    torch.manual_seed(0)
    model = VQGAN(ARCHITECTURE).eval().requires_grad_(False)
    model.quantize.embedding.weight.copy_(torch.randn(40, 8) * 0.3)
    (tmp_path / "vqgan").mkdir()
    save_vqgan(model, tmp_path / "vqgan")
    return model


@pytest.fixture(autouse=True)
def one_thread_and_own_checkpoints(tmp_path, monkeypatch):
    monkeypatch.setenv("UBG_CHECKPOINTS", str(tmp_path / "checkpoints"))
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
    (tmp_path / "hold").unlink(missing_ok=True)
    while STARTED:
        STARTED.pop().kill()


def encode(vqgan, pack, tmp_path, output="vq_tokens.h5", params=FP32):
    encode_pack(vqgan, vqgan_fingerprint(tmp_path / "vqgan"), pack, params, tmp_path / output)
    return (tmp_path / output).read_bytes()


def test_rows_are_the_ids_of_the_image_and_of_its_mirror_image(vqgan, pack, pixels, tmp_path):
    encode(vqgan, pack, tmp_path)
    tokens = VqTokens(tmp_path / "vq_tokens.h5")
    tokens.check_matches(vqgan_fingerprint(tmp_path / "vqgan"), pack.fingerprint, HEIGHT, WIDTH)
    assert tokens.codes == 40
    assert tokens.grid == (4, 2)
    assert tokens.image_ids.tolist() == list(range(0, 3 * IMAGES, 3))
    for row, image in enumerate(pixels):
        for mirrored, view in ((False, image), (True, image[:, ::-1])):
            values = torch.tensor(view.astype(np.float32) / 127.5 - 1).permute(2, 0, 1)[None]
            expected = vqgan.encode(values).flatten()
            ids = tokens.batch(np.array([3 * row]), np.array([mirrored]))[0]
            assert np.array_equal(ids, expected)
    assert len(np.unique(tokens.ids_N2L)) > 5
    assert not np.array_equal(tokens.ids_N2L[:, 0], tokens.ids_N2L[:, 1])
    assert not (tmp_path / "checkpoints" / "vq_tokens").exists()
    assert list((tmp_path / "checkpoints").iterdir()) == []


def test_stopped_by_an_error_it_goes_on_with_the_same_bytes(vqgan, pack, tmp_path, monkeypatch):
    whole = encode(vqgan, pack, tmp_path, "whole.h5")
    calls = []

    def fails_at_the_fourth(*arguments):
        calls.append(arguments[2].tolist())
        if len(calls) == 4:
            raise RuntimeError("the machine is gone")
        return encode_rows(*arguments)

    monkeypatch.setattr(vq_encode, "encode_rows", fails_at_the_fourth)
    with pytest.raises(RuntimeError, match="the machine is gone"):
        encode(vqgan, pack, tmp_path)
    assert not (tmp_path / "vq_tokens.h5").exists()
    assert encode(vqgan, pack, tmp_path) == whole
    starts = [rows[0] for rows in calls]
    assert starts == [0, 4, 8, 12, 12, 16, 20]


def test_another_precision_does_not_take_over_what_is_done(vqgan, pack, tmp_path, monkeypatch):
    def fails(*arguments):
        raise RuntimeError("stopped")

    monkeypatch.setattr(Progress, "ids", fails)
    for params in (
        FP32,
        Params(batch_size=4, precision="bf16"),
        Params(batch_size=5, precision="fp32"),
    ):
        with pytest.raises(RuntimeError, match="stopped"):
            encode(vqgan, pack, tmp_path, params=params)
    assert len(list((tmp_path / "checkpoints").iterdir())) == 3


def start(folder, seconds, *launcher):
    (folder / "encode.py").write_text(ENCODE)
    process = subprocess.Popen(
        [sys.executable, *launcher, "encode.py", str(seconds)],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(SOURCE), "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    STARTED.append(process)
    return process


def finish(process):
    output, _ = process.communicate(timeout=120)
    assert process.returncode == 0, output
    return output


def wait_for_first_ids(process, tmp_path):
    deadline = time.monotonic() + 60
    while not any(np.fromfile(path, np.int32).any() for path in tmp_path.glob("checkpoints/*/*")):
        assert time.monotonic() < deadline
        assert process.poll() is None, process.communicate()[0]
        time.sleep(0.05)


def wait_for_line(words, process):
    for line in process.stdout:
        if words in line:
            return line
    raise AssertionError(f"{words!r} was not told")


TORCHRUN = ("-m", "torch.distributed.run", "--nproc_per_node=2", "--standalone")


@pytest.mark.parametrize("launchers", [[(), ()], [TORCHRUN, ()], [(), TORCHRUN]])
def test_a_second_run_waits_and_takes_what_the_first_has_encoded(vqgan, pack, tmp_path, launchers):
    whole = encode(vqgan, pack, tmp_path, "whole.h5")
    (tmp_path / "hold").touch()
    first = start(tmp_path, 0, *launchers[0])
    wait_for_first_ids(first, tmp_path)
    second = start(tmp_path, -1, *launchers[1])
    told = wait_for_line("waiting for", second)
    (tmp_path / "hold").unlink()
    finish(first)
    assert "waiting for" not in finish(second)
    assert f"{tmp_path}/checkpoints/vq_tokens-" in told
    assert (tmp_path / "vq_tokens.h5").read_bytes() == whole
    assert list((tmp_path / "checkpoints").iterdir()) == []


def test_a_waiting_run_goes_on_when_the_first_is_killed(vqgan, pack, tmp_path):
    whole = encode(vqgan, pack, tmp_path, "whole.h5")
    (tmp_path / "hold").touch()
    first = start(tmp_path, 0)
    wait_for_first_ids(first, tmp_path)
    second = start(tmp_path, 0)
    assert f"process {first.pid} on " in wait_for_line("waiting for", second)
    os.kill(first.pid, signal.SIGKILL)
    first.communicate()
    (tmp_path / "hold").unlink()
    assert not (tmp_path / "vq_tokens.h5").exists()
    finish(second)
    assert (tmp_path / "vq_tokens.h5").read_bytes() == whole
    assert list((tmp_path / "checkpoints").iterdir()) == []


def test_killed_it_goes_on_with_two_processes_and_the_same_bytes(vqgan, pack, tmp_path):
    whole = encode(vqgan, pack, tmp_path, "whole.h5")
    process = start(tmp_path, 0.5)
    wait_for_first_ids(process, tmp_path)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    (kept,) = tmp_path.glob("checkpoints/*/ids.i32")
    done = np.fromfile(kept, np.int32).reshape(IMAGES, -1).all(axis=1)
    assert 0 < done.sum() < IMAGES
    assert not (tmp_path / "vq_tokens.h5").exists()

    output = finish(start(tmp_path, 0, *TORCHRUN))
    assert "process 2 of 2" in output
    assert (tmp_path / "vq_tokens.h5").read_bytes() == whole


def test_bf16_reports_the_share_that_it_changes(vqgan, pack, tmp_path, capsys):
    encode(vqgan, pack, tmp_path, "fp32.h5")
    encode(vqgan, pack, tmp_path, params=Params(batch_size=4, precision="bf16"))
    exact, fast = VqTokens(tmp_path / "fp32.h5"), VqTokens(tmp_path / "vq_tokens.h5")
    share = (exact.ids_N2L != fast.ids_N2L).mean()
    assert 0 < share < 0.2
    assert fast.origin.changed_share == share  # the sample is all of the few images
    assert exact.origin.changed_share == 0
    assert f"bf16 changes {share:.2%} of the ids of 22 images" in capsys.readouterr().out


def test_half_written_batch_counts_as_not_done(tmp_path):
    progress = Progress(tmp_path / "ids.i32", 10, 3, batch_size=4)
    assert [len(progress.rows(batch)) for batch in range(progress.batches)] == [4, 4, 2]
    ids = np.arange(60, dtype=np.int32).reshape(10, 2, 3)
    for batch in (2, 0, 1):
        progress.store(batch, ids[progress.rows(batch)])
    assert progress.unfinished() == set()
    assert np.array_equal(progress.ids(), ids)
    kept = np.fromfile(tmp_path / "ids.i32", np.int32)
    kept[29] = 0  # the last value of the first image of batch 1
    kept.tofile(tmp_path / "ids.i32")
    again = Progress(tmp_path / "ids.i32", 10, 3, batch_size=4)
    assert again.unfinished() == {1}


def test_a_full_disk_is_told_with_the_file_of_the_progress(tmp_path):
    """Files may have 100 bytes: the system refuses more, with no word about which file."""
    path = tmp_path / "ids.i32"
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    small = Progress(path, 4, 3, batch_size=4)
    for limit, write in (
        (100, lambda: Progress(path, 40, 3, batch_size=4)),
        (50, lambda: small.store(0, np.ones((4, 2, 3), np.int32))),
    ):
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, before[1]))
        try:
            with pytest.raises(OSError, match="File too large") as caught:
                write()
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
        assert told_in_one_line(caught.value).startswith(f"{path}: File too large; free some space")


def test_images_that_do_not_fit_the_grid_are_refused(vqgan, tmp_path):
    pack = write_pack(tmp_path / "odd", np.zeros((2, 36, 16, 3), np.uint8))
    with pytest.raises(ValueError, match="36x16"):
        encode(vqgan, pack, tmp_path)
    assert not (tmp_path / "checkpoints").exists()
