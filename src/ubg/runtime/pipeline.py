"""The stages of `dvc.yaml` as DVC resolves them: templates filled in, repeated stages by name."""

import hashlib
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import ubg
from ubg.runtime.opening import Kind, check_file

PACKAGE = "src/ubg"


@dataclass(frozen=True)
class Stage:
    """What a stage of the pipeline declares.

    Attributes:
        name: as `dvc repro` takes it.
        command: its command line.
        deps: files and folders that it reads.
        params: keys that it reads, by file.
        outs: what it writes, metrics and plots included.
        repeated: whether it stands for one value of a list, as of `foreach`.
    """

    name: str
    command: str
    deps: tuple[str, ...]
    params: dict[str, tuple[str, ...]]
    outs: tuple[str, ...]
    repeated: bool


class HasValues(Protocol):
    """Params that can be asked as the stages of `dvc.yaml` name them."""

    def value(self, file: str, key: str) -> Any:
        """The value of a dotted key in a file."""


def read_stages(root: str | Path = ".") -> dict[str, Stage]:
    """All stages by name.

    Args:
        root: the folder of `dvc.yaml` and `params.yaml`.

    Raises:
        ValueError: there is no `dvc.yaml`, or DVC cannot resolve it.
    """
    from dvc.exceptions import DvcException
    from dvc.parsing import JOIN, DataResolver
    from dvc.repo import Repo
    from dvc.utils.serialize import load_yaml

    try:
        with Repo(str(root), uninitialized=True) as repo:
            path = Path(root) / "dvc.yaml"
            check_file(path, Kind.CONFIG)
            found = load_yaml(path, fs=repo.fs)
            if not isinstance(found, dict) or not isinstance(found.get("stages"), dict):
                raise ValueError("dvc.yaml: has no stages; take it from the repository")
            resolved = DataResolver(repo, str(Path(root).resolve()), found).resolve()["stages"]
    except (DvcException, OSError) as error:
        raise ValueError(f"dvc.yaml: cannot be read: {error}") from None
    except sqlite3.Error as error:
        raise ValueError(
            f"DVC cannot keep its own records: {error}; free some space, and allow writing, where "
            "they are (`dvc config core.site_cache_dir`, or else /var/tmp/dvc)"
        ) from None
    return {name: _stage(name, values, JOIN in name) for name, values in resolved.items()}


def _stage(name: str, values: dict[str, Any], repeated: bool) -> Stage:
    params: dict[str, tuple[str, ...]] = {}
    for entry in values.get("params", []):
        keys = {"params.yaml": [entry]} if isinstance(entry, str) else entry
        for file, listed in keys.items():
            params[file] = (*params.get(file, ()), *(listed or ()))
    outs = [out for kind in ("outs", "metrics", "plots") for out in values.get(kind, [])]
    paths = [next(iter(out)) if isinstance(out, dict) else out for out in outs]
    deps = tuple(values.get("deps", []))
    return Stage(name, values["cmd"], deps, params, tuple(paths), repeated)


def declared_inputs(name: str, params: HasValues) -> list[Any]:
    """The declared inputs that decide a stage's result: values of its params, digest of its rooms.

    A room is a folder or file of the package among the deps of the stage. Data are left out:
    callers have cheaper fingerprints of them than reading all files.

    Raises:
        ValueError: `dvc.yaml` has no such stage, or a room of it is missing.
    """
    stage = read_stages().get(name)
    if stage is None:
        raise ValueError(f"dvc.yaml: has no stage {name!r}; add it")
    values = [
        (file, key, params.value(file, key)) for file, keys in stage.params.items() for key in keys
    ]
    return [values, rooms_digest([dep for dep in stage.deps if dep.startswith(PACKAGE)])]


def rooms_digest(rooms: Sequence[str]) -> str:
    """Changes with any line of code in these rooms, `src/ubg/..` each.

    Raises:
        ValueError: one is missing.
    """
    digest = hashlib.sha256()
    for room in rooms:
        path = Path(ubg.__file__).parent / room.removeprefix(PACKAGE).lstrip("/")
        files = sorted(path.rglob("*.py")) if path.is_dir() else [path]
        if not path.exists():
            raise ValueError(f"dvc.yaml: {room} is a dependency and does not exist; correct it")
        for file in files:
            digest.update(file.read_bytes())
    return digest.hexdigest()
