"""`pyproject.toml` declares what the code imports, and nothing else."""

import ast
import re
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions, requires
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TABLES = tomllib.loads((ROOT / "pyproject.toml").read_text())
PROJECT = TABLES["project"]
EXTRAS = PROJECT["optional-dependencies"]
DEVELOPING = ("tests", "benchmarks")
FILES = [path for folder in DEVELOPING for path in (ROOT / folder).rglob("*.py")]
OWN = {"ubg"} | {name for path in FILES for name in (path.stem, path.parent.name)}


def names(requirements: list[str]) -> set[str]:
    return {normal(re.split(r"[><=~!\[ ;]", requirement)[0]) for requirement in requirements}


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def imported(*folders: str) -> set[str]:
    """The distributions that the code in these folders imports, wherever it does."""
    modules = set()
    for path in [path for folder in folders for path in (ROOT / folder).rglob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                modules |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                modules.add((node.module or "").partition(".")[0])
    owners = packages_distributions()
    return {normal(owners[module][0]) for module in modules - OWN - sys.stdlib_module_names - {""}}


def test_what_the_code_imports_is_declared_and_what_is_declared_is_imported():
    rooms = [f"src/ubg/{path.name}" for path in (ROOT / "src/ubg").iterdir() if path.is_dir()]
    without_search = imported("stages", *(room for room in rooms if room != "src/ubg/search"))
    pipeline, search = names(PROJECT["dependencies"]), names(EXTRAS["search"])
    assert without_search <= pipeline
    assert imported("src", "stages") == pipeline | search


def test_tests_and_benchmarks_import_only_what_is_declared():
    declared = [*PROJECT["dependencies"], *EXTRAS["dev"], *EXTRAS["search"]]
    assert imported(*DEVELOPING) <= names(declared)


@pytest.mark.parametrize("extra", [[], ["dev"], ["search"]])
def test_all_that_is_declared_is_pinned(extra):
    pinned = set(re.findall(r"^([a-z0-9-]+)==", (ROOT / "requirements.lock").read_text(), re.M))
    declared = PROJECT["dependencies"] + [one for name in extra for one in EXTRAS[name]]
    assert names(declared) <= pinned


# Asked for by a package that works without: docs/supply.md.
LEFT_OUT = {"taming-transformers": {"omegaconf", "pytorch-lightning"}}


def test_the_lock_leaves_out_what_no_module_in_use_needs():
    (replaced,) = TABLES["tool"]["uv"]["dependency-metadata"]
    name, kept = replaced["name"], names(replaced["requires-dist"])
    asked = names(requires(name) or [])
    assert asked - kept == LEFT_OUT[name]
    pinned = re.findall(r"^([a-z0-9-]+)==", (ROOT / "requirements.lock").read_text(), re.M)
    assert kept < set(pinned)
    assert "pytorch-lightning" not in pinned


def test_all_else_that_packages_ask_for_is_installed():
    """The lock is installed with `--no-deps`: what it lacks would be missing in silence."""
    check = [sys.executable, "-m", "pip", "check", "--disable-pip-version-check"]
    told = subprocess.run(check, capture_output=True, text=True).stdout.splitlines()
    known = [
        rf"{name} \S+ requires {left_out}, which is not installed\."
        for name, several in LEFT_OUT.items()
        for left_out in several
    ]
    fine = re.compile("|".join([*known, r"No broken requirements found\."]))
    assert [line for line in told if not fine.fullmatch(line)] == []
