"""Indexing that is killed at any moment goes on as if it had not been.

The variable `UBG_KILLS` says how often; by hand, 20 times and more. Only a process that was at work
when it was killed counts.
"""

import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
import tiny_gallery
from tiny_gallery import SMALL_STEPS, draw_folder, draw_picture, index_asked, save_model

from ubg.search.gallery import Gallery

KILLS = int(os.environ.get("UBG_KILLS", "5"))
TRIES = 10  # to hit a process at work, on a machine that is busy with something else


@pytest.fixture(autouse=True)
def _small_steps(monkeypatch):
    for owner, name, value in SMALL_STEPS:
        monkeypatch.setattr(owner, name, value)


def ask(place, gallery, **options):
    """What is to be indexed, where nothing else is said the pictures of the place."""
    asked = {"gallery": gallery, "model": place / "model", "folders": [place / "imgs"]}
    return asked | {"labels": {}, "forget": []} | options


class Child:
    """A process that indexes, and has loaded all it needs by the time that it begins."""

    def __init__(self, asked):
        command = [sys.executable, tiny_gallery.__file__, json.dumps(asked, default=str)]
        environment = {"PYTHONPATH": f"{Path(tiny_gallery.__file__).parents[1] / 'src'}"}
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment
        )
        assert self.process.stdout.readline() == b"begins\n"

    def finish(self):
        """Seconds that indexing took."""
        began = time.monotonic()
        assert self.process.stdout.readline() == b"ends\n"
        seconds = time.monotonic() - began
        assert self.process.wait() == 0
        return seconds

    def kill(self, seconds):
        """Whether it was at work, so long after it had begun."""
        time.sleep(seconds)
        self.process.send_signal(signal.SIGKILL)
        return self.process.wait() == -signal.SIGKILL and self.process.stdout.read() == b""


def contents(gallery):
    """All that is known of each image, and its row, those that are gone included."""
    with closing(sqlite3.connect(gallery / "gallery.sqlite")) as database:
        images = database.execute("SELECT * FROM images ORDER BY id").fetchall()
        folders = database.execute("SELECT * FROM folders ORDER BY id").fetchall()
    snapshot = Gallery.open(gallery).snapshot
    rows = snapshot.vectors_ND.tobytes(), snapshot.codes_NL.tobytes()
    return images, folders, rows, sorted(path.name for path in gallery.iterdir())


def findable(gallery):
    """By path, the rows of images that can be found; no path is there twice."""
    with Gallery.open(gallery) as opened:
        snapshot = opened.snapshot
        alive = np.flatnonzero(snapshot.alive_N)
        entries = opened.entries(snapshot.ids_N[alive])
        found = {
            (entry.folder, entry.path): (vector.tobytes(), code.tobytes())
            for entry, vector, code in zip(
                entries, snapshot.vectors_ND[alive], snapshot.codes_NL[alive], strict=True
            )
        }
        assert len(found) == len(entries)
        return found


def kill_and_go_on(place, before, options):
    """Kill, each time anew from the gallery `before`, which may be none, and finish."""
    undisturbed, killed = place / "undisturbed", place / "killed"

    def begin(gallery):
        shutil.rmtree(gallery, ignore_errors=True)
        if before is not None:
            shutil.copytree(before, gallery)
        return Child(ask(place, gallery, **options))

    whole = begin(undisturbed).finish()
    expected, new = contents(undisturbed), findable(undisturbed)
    old = {} if before is None else findable(before)
    moments, hits, tries, states = random.Random(0), 0, 0, Counter()
    while hits < KILLS:
        tries += 1
        assert tries <= TRIES * KILLS, "hardly a process was at work when it was killed"
        if not begin(killed).kill(moments.uniform(0, whole)):
            continue
        hits += 1
        if (killed / "manifest.json").exists():
            found = findable(killed)
            for path, row in found.items():
                assert row in (old.get(path), new.get(path))
            states["old" if found == old else "new" if found == new else "between"] += 1
        else:
            assert before is None
            states["no gallery yet"] += 1
        index_asked(**ask(place, killed, **options))
        assert contents(killed) == expected
    seen = ", ".join(f"{count} {state}" for state, count in sorted(states.items()))
    print(f"{hits} killed at work of {tries}, within {whole:.2f} s, and found: {seen}; 0 differ")


def test_a_first_indexing_loses_doubles_and_changes_nothing(tmp_path):
    draw_folder(tmp_path / "imgs", 60)
    save_model(tmp_path)
    kill_and_go_on(tmp_path, None, {})
    assert len(findable(tmp_path / "killed")) == 60


def test_an_update_loses_doubles_and_changes_nothing(tmp_path):
    """Files new, changed and gone, a folder that is left out, labels, and rows written anew."""
    draw_folder(tmp_path / "imgs", 60)
    draw_folder(tmp_path / "more", 10)
    save_model(tmp_path)
    both = [tmp_path / "imgs", tmp_path / "more"]
    index_asked(**ask(tmp_path, tmp_path / "before", folders=both))
    for place, path in enumerate(sorted((tmp_path / "imgs").rglob("*.png"))):
        if place % 5:
            path.unlink()
        elif place % 2:
            draw_picture(path, 100 + place)
    for place in range(20):
        draw_picture(tmp_path / f"imgs/cam1/new{place}.png", 200 + place)
    (tmp_path / "imgs/cam2/broken.png").write_bytes(b"nothing")
    labels = {"cam1/new3.png": ["night", "north"], "cam0/000.png": ["day", "south"]}
    forget = [tmp_path / "more"]
    kill_and_go_on(tmp_path, tmp_path / "before", {"labels": labels, "forget": forget})
    with Gallery.open(tmp_path / "killed") as gallery:
        assert (gallery.snapshot.generation, gallery.count) == (1, 32)
        assert gallery.facets().tags == ["day", "night"]


def test_a_gallery_is_read_before_its_first_picture_is_in(tmp_path):
    draw_folder(tmp_path / "imgs", 4)
    save_model(tmp_path)
    gallery = tmp_path / "gallery"
    index_asked(**ask(tmp_path, gallery))
    for name in ("vectors.0.float32", "codes.0.uint8"):
        (gallery / name).unlink()
    with sqlite3.connect(gallery / "gallery.sqlite") as database:
        database.execute("DELETE FROM images")
    with Gallery.open(gallery) as opened:
        assert opened.count == 0
    index_asked(**ask(tmp_path, gallery))
    assert len(findable(gallery)) == 4


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
    index_asked(**ask(tmp_path, gallery))
    before = contents(gallery)[0]
    subprocess.run([sys.executable, "-c", BREAKS_OFF, gallery / "gallery.sqlite"], check=False)
    assert (gallery / "gallery.sqlite-journal").stat().st_size > 0
    assert contents(gallery)[0] == before
