"""Compiled loops run also where no cache can be written."""

import os
import resource
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[2] / "src"
LOOP = """
from ubg.runtime.compiled import cached_njit
@cached_njit()
def twice(number):
    return 2 * number
@cached_njit(fastmath=True)
def four_times(number):
    return twice(twice(number))
"""


def run(folder: Path, preexec_fn=None, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", "import loop; print(loop.four_times(3))"],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(SOURCE)} | environment,
        capture_output=True,
        text=True,
        preexec_fn=preexec_fn,
    )


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with `loop.py` that nothing can be cached in: a file is in the way."""
    monkeypatch.delenv("NUMBA_CACHE_DIR", raising=False)
    (tmp_path / "loop.py").write_text(LOOP)
    (tmp_path / "__pycache__").touch()
    return tmp_path


def test_without_a_place_for_the_cache_it_compiles_and_warns_once(folder):
    done = run(folder, HOME="/dev/null", XDG_CACHE_HOME="/dev/null")
    assert done.stdout == "12\n", done.stderr
    assert done.stderr.count("set NUMBA_CACHE_DIR") == 1


def test_a_cache_elsewhere_is_used(folder, tmp_path):
    cache = tmp_path / "cache"
    done = run(folder, HOME="/dev/null", XDG_CACHE_HOME="/dev/null", NUMBA_CACHE_DIR=str(cache))
    assert (done.stdout, done.stderr) == ("12\n", "")
    assert {path.name.split("-")[0] for path in cache.rglob("*.nbc")} == {
        "loop.twice",
        "loop.four_times",
    }


@pytest.mark.parametrize("largest", [500, 5_000])
def test_on_a_full_disk_it_compiles_and_says_once_where(folder, tmp_path, largest):
    """Files of so many bytes hold nothing; or the index, but not what is compiled."""
    cache = tmp_path / "cache"
    assert run(folder, NUMBA_CACHE_DIR=str(cache)).stdout == "12\n"
    indices = [path.stat().st_size for path in cache.rglob("*.nbi")]
    assert 500 < min(indices) <= max(indices) < 5_000
    assert min(path.stat().st_size for path in cache.rglob("*.nbc")) > 5_000
    (folder / "loop.py").write_text(LOOP.replace("2 * number", "5 * number"))

    full = partial(resource.setrlimit, resource.RLIMIT_FSIZE, (largest, largest))
    done = run(folder, full, NUMBA_CACHE_DIR=str(cache))
    assert done.stdout == "75\n", done.stderr
    assert "Traceback" not in done.stderr
    assert done.stderr.count(f"compiles its loops anew ({cache}") == 1
    assert "File too large" in done.stderr
    for _ in range(2):  # compiles anew, then takes what is kept
        done = run(folder, NUMBA_CACHE_DIR=str(cache))
        assert (done.stdout, done.stderr) == ("75\n", "")


def test_the_cache_of_the_user_is_used(folder, tmp_path):
    done = run(folder, HOME=str(tmp_path / "home"), XDG_CACHE_HOME=str(tmp_path / "home/cache"))
    assert (done.stdout, done.stderr) == ("12\n", "")
    assert list((tmp_path / "home").rglob("*.nbc"))
