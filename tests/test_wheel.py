"""The wheel has all that the package reads, and works where the repository is not."""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from tiny_trained import save_untrained

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
    command = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation"]
    done = subprocess.run(
        [*command, "--no-index", "--quiet", "--wheel-dir", "dist", "."],
        cwd=copy,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    (built,) = (copy / "dist").glob("ubg-*.whl")
    return built


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
