"""The wheel has all that the package reads, and works where the repository is not."""

import json
import os
import shutil
import signal
import subprocess
import sys
import zipfile
from pathlib import Path
from urllib.request import urlopen

import pytest
from tiny_gallery import draw_folder
from tiny_trained import save_small, save_untrained

import ubg
from ubg.params import load_params

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    """Built from a copy: building writes beside the sources."""
    copy = tmp_path_factory.mktemp("sources")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, copy)
    ignored = shutil.ignore_patterns("__pycache__", "*.egg-info")
    shutil.copytree(ROOT / "src", copy / "src", ignore=ignored)
    pip(copy, "wheel", "--no-build-isolation", "--wheel-dir", "dist", ".")
    (built,) = (copy / "dist").glob("ubg-*.whl")
    return built


def pip(folder: Path, command: str, *arguments: str | Path) -> None:
    """Without a network; the dependencies are those of the tests."""
    done = subprocess.run(
        [sys.executable, "-m", "pip", command, "--no-deps", "--no-index", "--quiet", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-3000:]


def test_wheel_holds_every_file_of_the_package_and_the_licence(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    files = [path for path in (ROOT / "src/ubg").rglob("*") if path.is_file()]
    expected = {
        path.relative_to(ROOT / "src").as_posix()
        for path in files
        if "__pycache__" not in path.parts
    }
    assert {"ubg/py.typed", "ubg/report/templates/report.html"} <= expected
    assert expected <= names
    assert any(name.endswith("licenses/LICENSE") for name in names)


def test_installed_package_loads_a_model_outside_of_the_repository(wheel, tmp_path):
    scale = load_params(ROOT).preset
    save_untrained("phase2", tmp_path / "model", scale, ["a red coat", "a blue hat"] * 20)
    zipfile.ZipFile(wheel).extractall(tmp_path / "site")
    code = (
        "import ubg, sys; model = ubg.load('model'); "
        "print(ubg.__file__, ubg.__version__, *model.encode_text(['a red coat']).shape)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": "site"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    file, version, *shape = done.stdout.split()[-4:]
    assert Path(tmp_path, file).resolve() == tmp_path / "site/ubg/__init__.py"
    assert f"ubg-{version}-" in wheel.name
    assert shape == ["1", "256"]


PAGE = ROOT / "src/ubg/search/serving/page"


@pytest.fixture
def elsewhere(wheel, tmp_path, monkeypatch):
    """A folder with a model and pictures alone; `ubg` comes from the wheel."""
    pip(tmp_path, "install", "--no-compile", "--target", tmp_path / "site", wheel)
    save_small("phase2", tmp_path / "elsewhere/model")
    draw_folder(tmp_path / "elsewhere/crops", 6)
    monkeypatch.chdir(tmp_path / "elsewhere")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "site"))
    imported = [sys.executable, "-c", "import ubg.search.command; print(ubg.__file__)"]
    assert said(*imported) == f"{tmp_path}/site/ubg/__init__.py\n"
    return str(tmp_path / "site/bin/ubg")


def said(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def test_installed_command_indexes_searches_and_serves_outside_of_the_repository(elsewhere):
    assert {"index", "search", "serve"} <= {*said(elsewhere, "--help").split()}
    done = said(elsewhere, "index", "crops", "--model", "model", "--gallery", "gallery")
    assert done == "6 images in gallery: 6 new, 0 changed, 0 gone, 0 as they were\n"

    page = json.loads(said(elsewhere, "search", "gallery", "a red coat", "--json"))
    found = {result["path"]: result["score"] for result in page["results"]}
    model, paths = ubg.load("model", "cpu"), sorted(Path("crops").rglob("*.png"))
    scores = model.encode_image(paths) @ model.encode_text("a red coat")[0]
    expected = {
        path.relative_to("crops").as_posix(): score
        for score, path in sorted(zip(scores.tolist(), paths, strict=True), reverse=True)
    }
    assert found == pytest.approx(expected, abs=2e-6)
    assert [*found] == [*expected]

    server = subprocess.Popen(
        [elsewhere, "serve", "gallery", "--port", "0"], stdout=subprocess.PIPE, text=True
    )
    try:
        assert server.stdout.readline() == "6 images; stop with Ctrl-C\n"
        address = server.stdout.readline().strip()
        for file in PAGE.iterdir():
            name = "" if file.name == "index.html" else file.name
            with urlopen(address + name, timeout=60) as answer:
                assert answer.read() == file.read_bytes()
        with urlopen(f"{address}api/images/1/thumbnail", timeout=60) as answer:
            assert answer.headers["content-type"] == "image/jpeg"
        server.send_signal(signal.SIGINT)
        server.communicate(timeout=60)
    finally:
        server.kill()
        server.wait()
    assert server.returncode == 130
