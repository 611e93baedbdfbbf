"""Indexing that is killed at any moment goes on as if it had not been."""

import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import tiny_gallery
from tiny_gallery import draw_folder, save_model

from ubg.search.gallery import Gallery

KILLS = 5


def start(place, gallery):
    command = [sys.executable, tiny_gallery.__file__, place / "imgs", place / "model", gallery]
    environment = {"PYTHONPATH": f"{Path(tiny_gallery.__file__).parents[1] / 'src'}"}
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment
    )
    assert process.stdout.readline() == b"begins\n"
    return process


def contents(gallery):
    with Gallery.open(gallery) as opened:
        snapshot = opened.snapshot
        entries = opened.entries(snapshot.ids_N)
        return entries, snapshot.vectors_ND.copy(), snapshot.codes_NL.copy()


def test_nothing_is_lost_doubled_or_different(tmp_path):
    draw_folder(tmp_path / "imgs", 60)
    save_model(tmp_path)
    began = time.monotonic()
    assert start(tmp_path, tmp_path / "undisturbed").wait() == 0
    whole = time.monotonic() - began
    moments = random.Random(0)
    for _ in range(KILLS):
        process = start(tmp_path, tmp_path / "killed")
        time.sleep(moments.uniform(0, whole / 2))
        process.send_signal(signal.SIGKILL)
        process.wait()
        if (tmp_path / "killed/manifest.json").exists():
            contents(tmp_path / "killed")  # can be read at any time
    assert start(tmp_path, tmp_path / "killed").wait() == 0
    expected, found = contents(tmp_path / "undisturbed"), contents(tmp_path / "killed")
    assert found[0] == expected[0]
    assert len(found[0]) == 60
    np.testing.assert_array_equal(found[1], expected[1])
    np.testing.assert_array_equal(found[2], expected[2])
