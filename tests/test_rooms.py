"""The house holds: rooms are dependencies, nothing runs up, no shared code knows a system."""

import ast
from itertools import pairwise
from pathlib import Path

import networkx
import pytest
from imports import CALLED_BY, direct_imports, imported_files

from ubg.runtime.pipeline import read_stages
from ubg.systems import system_names

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src/ubg"

# From the ground up; a room imports from itself and from those before it.
ROOMS = [
    "runtime",
    "params",
    "synthpedes",
    "data/prepared.py",
    "data/annotations",
    "data/images",
    "data/text",
    "data/batches",
    "losses",
    "towers",
    "retrieval",
    "training",
    "figures",
    "dataset_report",
    "vqgan/model",
    "vqgan/fit",
    "vqgan/codes",
    "systems",
    "trained.py",
    "evaluation",
    "comparison",
    "plan",
]


@pytest.fixture(scope="module")
def stages(tmp_path_factory):
    """Every stage, also those of other data sets."""
    copy = tmp_path_factory.mktemp("rooms")
    params = (ROOT / "params.yaml").read_text()
    assert "evaluate_on: []" in params
    (copy / "params.yaml").write_text(params.replace("evaluate_on: []", "evaluate_on: [rstpreid]"))
    (copy / "dvc.yaml").write_text((ROOT / "dvc.yaml").read_text())
    return read_stages(copy)


def test_every_stage_declares_the_rooms_that_it_imports_and_no_other(stages):
    faults = []
    for name, stage in stages.items():
        _, _, script, *arguments = stage.command.split()
        script = Path(script).name
        system = arguments[0] if script in CALLED_BY else None
        files = [file for file in imported_files(ROOT, script, system) if not exempt(file)]
        rooms = [dep for dep in stage.deps if dep.startswith("src/")]
        faults += [f"{name}: {file} is imported" for file in files if not covered(file, rooms)]
        faults += [
            f"{name}: {room} is declared and not used"
            for room in rooms
            if not any(covered(file, [room]) for file in files)
        ]
    assert faults == []


def exempt(file: str) -> bool:
    """What no stage depends on: facades, and the params, all of which stand in files."""
    return file.endswith("__init__.py") or file.startswith("src/ubg/params/")


def covered(file: str, rooms: list[str]) -> bool:
    return any(file == room or file.startswith(f"{room}/") for room in rooms)


def modules() -> list[Path]:
    return [path for path in sorted(PACKAGE.rglob("*.py")) if path.name != "__init__.py"]


def test_facades_do_nothing_until_they_are_asked():
    for path in PACKAGE.rglob("__init__.py"):
        if path.parent.name != "params":
            body = ast.parse(path.read_text()).body
            for statement in body:
                imports = isinstance(statement, ast.ImportFrom) and (
                    statement.module or ""
                ).startswith("ubg")
                assert not imports, f"{path}: imports on its own"


def test_no_room_imports_from_one_above_it():
    faults = []
    for path in modules():
        own = room_of(path.relative_to(PACKAGE).as_posix())
        for file in direct_imports(PACKAGE.parent, path):
            name = file.relative_to(PACKAGE).as_posix()
            if file.name != "__init__.py" and room_of(name) > own:
                faults.append(f"{path.relative_to(PACKAGE)} imports {name}")
    assert faults == []


def room_of(file: str) -> int:
    (place,) = [i for i, room in enumerate(ROOMS) if file == room or file.startswith(f"{room}/")]
    return place


def test_every_room_is_there():
    for room in ROOMS:
        assert (PACKAGE / room).exists(), room


def test_imports_go_in_no_circle():
    graph = networkx.DiGraph(
        (path, file)
        for path in modules()
        for file in direct_imports(PACKAGE.parent, path)
        if file.name != "__init__.py" and file != path
    )
    circles = list(networkx.simple_cycles(graph))
    assert [[str(path.relative_to(PACKAGE)) for path in circle] for circle in circles] == []


def test_no_shared_code_names_a_system():
    """But for the `match` that turns a name into a system, the ladder, and the params of each."""
    names, faults = set(system_names()), []
    free = {"systems", "params"}
    for path in [*modules(), *(ROOT / "stages").glob("*.py")]:
        parts = path.relative_to(PACKAGE).parts if path.is_relative_to(PACKAGE) else ()
        if parts[:1] and (parts[0] in free or parts == ("comparison", "ladder.py")):
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            named = {
                ast.Constant: lambda node: node.value,
                ast.Attribute: lambda node: node.attr,
                ast.Name: lambda node: node.id,
            }.get(type(node), lambda node: None)(node)
            if isinstance(named, str) and named in names:
                faults.append(f"{path.name}, line {node.lineno}: {named}")
            module = getattr(node, "module", None) or ""
            if set(module.split(".")) & names:
                faults.append(f"{path.name}, line {node.lineno}: {module}")
    assert faults == []


def test_systems_do_not_import_each_other():
    for name in system_names():
        for path in (PACKAGE / "systems" / name).rglob("*.py"):
            for file in direct_imports(PACKAGE.parent, path):
                parts = file.relative_to(PACKAGE).parts
                if parts[0] == "systems" and len(parts) > 2:
                    assert parts[1] in (name, "aligned"), f"{path} imports {file}"


def test_signatures_are_short():
    """A function takes six parameters at most, but for compiled loops over plain numbers."""
    contract = {"sdm_loss"}  # docs/design.md
    faults = []
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef) and node.name not in contract:
                compiled = any("njit" in ast.unparse(mark) for mark in node.decorator_list)
                names = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
                count = len([name for name in names if name.arg not in ("self", "cls")])
                if count > 6 and not compiled:
                    faults.append(f"{path.relative_to(PACKAGE)}: {node.name} takes {count}")
    assert faults == []


def test_sections_of_the_params_have_no_defaults():
    import ubg.params as params

    for name in params.__all__:
        section = getattr(params, name)
        if isinstance(section, type):
            for field, info in section.model_fields.items():
                assert info.is_required(), f"{name}.{field} has a default"


def test_rooms_come_from_the_ground_up_in_the_design():
    """docs/design.md draws the same house."""
    drawn = (ROOT / "docs/design.md").read_text()
    places = [drawn.index(f"`{room.removesuffix('.py')}") for room in ROOMS]
    assert all(first < second for first, second in pairwise(places))
