"""Params that differ from those of the commit, and the commands that make the same run again."""

import json
import shlex
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from ubg.params import Dataset, Experiment, Params, Scale
from ubg.params import Section as ParamsSection
from ubg.params.read import read_section
from ubg.report.origin import committed
from ubg.report.section import Section
from ubg.report.sources import Sources


def changes_section(sources: Sources) -> Section | None:
    """The params that were set otherwise than in the commit; None where that is not known."""
    here, before = values_here(sources.params), values_committed(sources.params)
    if before is None:
        return None
    changed = [
        {"file": file, "key": key, "committed": before.get((file, key)), "here": value}
        for (file, key), value in here.items()
        if before.get((file, key)) != value
    ]
    return Section("changes", "Params that differ from the commit", {"changed": changed})


def reproduce_section(origin: Section, changes: Section | None) -> Section:
    """The commands, as a reader types them."""
    code = origin.data["code"]
    checkout = [f"git checkout {code['commit']}"] if code else []
    changed = changes.data["changed"] if changes else []
    run = "dvc exp run " + " ".join(set_option(one) for one in changed) if changed else "dvc repro"
    synthetic = origin.data["synthetic"]
    data = {
        "commands": [*checkout, "make setup", "source .venv/bin/activate", run],
        "own_data": None if synthetic else origin.data["dataset"],
        "edited": [] if code is None else [path for path in code["changed"] if is_code(path)],
    }
    return Section("reproduce", "How to reproduce it", data)


def is_code(path: str) -> bool:
    """Whether a changed file is more than params, which `-S` sets again."""
    return not path.startswith("configs/") and path != "params.yaml"


def set_option(change: dict[str, Any]) -> str:
    """A change as an option of `dvc exp run`."""
    value = change["here"]
    text = value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))
    file = "" if change["file"] == "params.yaml" else f"{change['file']}:"
    return "-S " + shlex.quote(f"{file}{change['key']}={text}")


def values_here(params: Params) -> dict[tuple[str, str], Any]:
    """Every value, by file and dotted key."""
    own = {name: getattr(params, name) for name in Experiment.model_fields}
    dataset, scale = _files(params)
    return {
        **_flat("params.yaml", Experiment(**own)),
        **_flat(dataset, params.data),
        **_flat(scale, params.preset),
    }


def values_committed(params: Params) -> dict[tuple[str, str], Any] | None:
    """The same files as they are in the commit; None where they are not, or hold other keys."""
    dataset, scale = _files(params)
    values: dict[tuple[str, str], Any] = {}
    kinds: dict[str, type[ParamsSection]] = {
        "params.yaml": Experiment,
        dataset: Dataset,
        scale: Scale,
    }
    with TemporaryDirectory() as folder:
        root = Path(folder)
        for file, kind in kinds.items():
            if (text := committed(file)) is None:
                return None
            path = root / Path(file).name
            path.write_text(text, encoding="utf-8")
            try:
                values |= _flat(file, read_section(kind, path, root))
            except ValueError:
                return None
    return values


def _files(params: Params) -> tuple[str, str]:
    return f"configs/datasets/{params.dataset}.yaml", f"configs/scales/{params.scale}.yaml"


def _flat(file: str, section: ParamsSection) -> dict[tuple[str, str], Any]:
    values: dict[tuple[str, str], Any] = {}

    def walk(prefix: str, value: Any) -> None:
        if isinstance(value, dict) and value:
            for name, inner in value.items():
                walk(f"{prefix}.{name}" if prefix else name, inner)
        else:
            values[file, prefix] = value

    walk("", section.model_dump(mode="json"))
    return values
