"""Where the results come from: code, data, versions, machine."""

import hashlib
import os
import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError

from ubg.comparison.pipeline_graph import read_graph
from ubg.report.section import Section
from ubg.report.sources import Sources
from ubg.runtime.bounded_yaml import load_yaml
from ubg.runtime.faults import first_fault
from ubg.runtime.opening import Kind, read_text

PACKAGES = ("torch", "torchvision", "transformers", "open_clip_torch", "accelerate", "numpy", "dvc")
CODE = ("src", "stages", "configs", "params.yaml", "dvc.yaml")
LOCK = "dvc.lock"
CPU, MEMORY, GPUS = Path("/proc/cpuinfo"), Path("/proc/meminfo"), Path("/proc/driver/nvidia/gpus")


class _Item(BaseModel):
    path: str
    md5: str | None = None
    size: int | None = None


class _Entry(BaseModel):
    deps: list[_Item] = []
    outs: list[_Item] = []


class _Lock(BaseModel):
    """What of `dvc.lock` is read."""

    stages: dict[str, _Entry] = {}


def origin_section(sources: Sources) -> Section:
    """What was run, on which data, by which code."""
    params, files = sources.params, locked_files()
    data = {
        "dataset": params.data.label,
        "synthetic": params.data.synthetic,
        "scale": params.scale,
        "seed": params.seed,
        "noise": params.noise.rate,
        "initial_weights": params.initial_weights,
        "code": commit(),
        "lock": digest(files),
        "files": files,
        "versions": versions(),
        "machine": machine(),
    }
    return Section("origin", "What was run", data)


def commit() -> dict[str, Any] | None:
    """The commit that is checked out and what of its code was changed; None without Git."""
    try:
        name, date, subject = _git("log", "-1", "--format=%H%n%cs%n%s").splitlines()
        changed = _git("status", "--porcelain", "--untracked-files=all", "--", *CODE)
    except (OSError, ValueError, subprocess.CalledProcessError):
        return None
    return {
        "commit": name,
        "date": date,
        "subject": subject,
        "changed": [line[3:] for line in changed.splitlines()],
    }


def committed(path: str) -> str | None:
    """A file as it is in the commit that is checked out; None where it is not in it."""
    try:
        return _git("show", f"HEAD:./{path}")
    except (OSError, subprocess.CalledProcessError):
        return None


def locked_files(root: Path = Path()) -> dict[str, dict[str, Any]]:
    """What the stages before the report read from outside and wrote, by path: MD5 and bytes.

    From `dvc.lock`. The entry of the report itself is not among it: it holds the report's own hash.

    Raises:
        ValueError: see `read_stages`; or `dvc.lock` cannot be read.
    """
    import networkx

    if not (root / LOCK).exists():
        return {}
    graph = read_graph(root)
    before = networkx.ancestors(graph, "report") if "report" in graph else set(graph)
    entries = read_lock(root / LOCK).stages
    files = {}
    for name in sorted(before & set(entries)):
        for item in [*entries[name].deps, *entries[name].outs]:
            if not item.path.startswith(("src/", "stages/")):
                files[item.path] = {"md5": item.md5, "bytes": item.size}
    return dict(sorted(files.items()))


def read_lock(path: Path) -> _Lock:
    """What DVC noted of the stages as they ran last.

    Raises:
        ValueError: it cannot be read; one line.
    """
    try:
        return _Lock.model_validate(load_yaml(read_text(path, Kind.CONFIG)))
    except ValidationError as error:
        reason = first_fault(error)
    except (OSError, ValueError, yaml.YAMLError, RecursionError) as error:
        reason = " ".join(str(error).split())[:300]
    raise ValueError(f"{path}: cannot be read ({reason}); `dvc repro` or Git makes it again")


def digest(files: dict[str, dict[str, Any]]) -> str | None:
    """SHA-256 of the files' names and hashes, a line `md5  path` each, as `sha256sum` has it."""
    if not files:
        return None
    lines = "".join(f"{file['md5']}  {path}\n" for path, file in files.items())
    return hashlib.sha256(lines.encode()).hexdigest()


def versions() -> dict[str, str]:
    """Of Python and of what decides the numbers."""
    found = {"Python": platform.python_version()}
    for package in ("ubg", *PACKAGES):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def machine() -> dict[str, Any]:
    """The machine that the report is made on; no name of it."""
    gpus = [_value(file, "Model") for file in sorted(GPUS.glob("*/information"))]
    memory = _value(MEMORY, "MemTotal")
    return {
        "system": f"{platform.system()} {platform.release().split('-')[0]}, {platform.machine()}",
        "processor": _value(CPU, "model name") or platform.processor() or None,
        "cores": os.cpu_count(),
        "memory_gib": round(int(memory.split()[0]) / 2**20, 1) if memory else None,
        "gpus": gpus,
    }


def _value(file: Path, key: str) -> str | None:
    """What stands behind `key:` in one of the kernel's files."""
    try:
        lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return None
    found = [line.partition(":")[2].strip() for line in lines if line.startswith(key)]
    return found[0] if found else None


def _git(*arguments: str) -> str:
    return subprocess.run(["git", *arguments], capture_output=True, text=True, check=True).stdout
