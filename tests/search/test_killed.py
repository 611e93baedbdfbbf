"""Indexing that is killed at any moment goes on as if it had not been.

The variable `UBG_KILLS` says how often; by hand, 20 times and more.
"""

import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import tiny_gallery
from tiny_gallery import draw_folder, save_model

from ubg.search.gallery import Gallery

KILLS = int(os.environ.get("UBG_KILLS", "5"))


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


def test_a_gallery_is_read_before_its_first_picture_is_in(tmp_path):
    draw_folder(tmp_path / "imgs", 4)
    save_model(tmp_path)
    gallery = tmp_path / "gallery"
    assert start(tmp_path, gallery).wait() == 0
    for name in ("vectors.0.float32", "codes.0.uint8"):
        (gallery / name).unlink()
    with sqlite3.connect(gallery / "gallery.sqlite") as database:
        database.execute("DELETE FROM images")
    with Gallery.open(gallery) as opened:
        assert opened.count == 0
    assert start(tmp_path, gallery).wait() == 0
    assert len(contents(gallery)[0]) == 4


BREAKS_OFF = """
import os, sqlite3, sys
database = sqlite3.connect(sys.argv[1], isolation_level=None)
database.execute("PRAGMA cache_size = 1")  # so that pages reach the file before the commit
database.execute("BEGIN IMMEDIATE")
database.execute("UPDATE images SET camera = hex(randomblob(3000))")
os.kill(os.getpid(), 9)
"""


def test_a_reader_undoes_a_transaction_that_was_broken_off(tmp_path):
    draw_folder(tmp_path / "imgs", 20)
    save_model(tmp_path)
    gallery = tmp_path / "gallery"
    assert start(tmp_path, gallery).wait() == 0
    before = contents(gallery)[0]
    subprocess.run([sys.executable, "-c", BREAKS_OFF, gallery / "gallery.sqlite"], check=False)
    assert (gallery / "gallery.sqlite-journal").stat().st_size > 0
    assert contents(gallery)[0] == before
