"""The house holds: rooms are dependencies, nothing runs up, no shared code knows a system."""

import ast
import re
from itertools import pairwise
from pathlib import Path
from types import FunctionType

import networkx
import pytest
from imports import CALLED_BY, direct_imports, imported_files

from ubg.params import Section
from ubg.runtime.pipeline import read_stages
from ubg.systems import system_names

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src/ubg"

# From the ground up; a room imports from itself and from those before it.
ROOMS = [
    "runtime",
    "params",
    "data/query_kinds.py",
    "synthpedes",
    "data/prepared.py",
    "data/clothing.py",
    "data/annotations",
    "data/images",
    "data/modalities",
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
    "model_fingerprint.py",
    "calibration.py",
    "library.py",
    "search",
    "foils",
    "evaluation",
    "disentanglement",
    "comparison",
    "report",
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
        systems = arguments if script in CALLED_BY else []
        files = [file for file in imported_files(ROOT, script, systems) if not exempt(file)]
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


def test_packages_import_on_demand():
    """Importing a module runs the `__init__.py` of each package around it."""
    for path in PACKAGE.rglob("__init__.py"):
        if path.parent.name != "params":
            for statement in ast.parse(path.read_text()).body:
                names = ast.unparse(statement) if is_import(statement) else ""
                assert "ubg" not in names, f"{path}: {names}"


def is_import(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Import | ast.ImportFrom)


def test_no_room_imports_from_one_above_it():
    """Only the package itself, `ubg`, is of no room."""
    faults = []
    for path in modules():
        own = room_of(path)
        for file in direct_imports(PACKAGE.parent, path):
            if file != PACKAGE / "__init__.py" and room_of(file) > own:
                faults.append(f"{path.relative_to(PACKAGE)} imports {file.relative_to(PACKAGE)}")
    assert faults == []


def room_of(path: Path) -> int:
    """The place of a file's room in `ROOMS`; the package around rooms counts as their first."""
    file = path.relative_to(PACKAGE).as_posix().removesuffix("/__init__.py")
    places = [
        place
        for place, room in enumerate(ROOMS)
        if file == room or file.startswith(f"{room}/") or room.startswith(f"{file}/")
    ]
    return places[0]


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
    names, faults = system_names(), []
    pattern = re.compile(rf"\b({'|'.join(names)})\b")
    free = {PACKAGE / "systems/__init__.py", PACKAGE / "comparison/ladder.py"}
    owned = [PACKAGE / "params", *(PACKAGE / "systems" / name for name in names)]
    for path in [*PACKAGE.rglob("*.py"), *(ROOT / "stages").glob("*.py")]:
        if path in free or any(path.is_relative_to(folder) for folder in owned):
            continue
        module = ast.parse(path.read_text())
        documentation = {id(node.value) for node in ast.walk(module) if isinstance(node, ast.Expr)}
        for node in ast.walk(module):
            if id(node) not in documentation and (found := pattern.search(words_of(node))):
                faults.append(f"{path.name}, line {node.lineno}: {found.group()}")
    assert faults == []


def words_of(node: ast.AST) -> str:
    """What a node of the code says: a string, a name, the module that it imports from."""
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.Attribute(attr=name) | ast.Name(id=name) | ast.ImportFrom(module=str(name)):
            return name
    return ""


def test_systems_do_not_import_each_other():
    """But what a branch stands beside is another system, as that declares itself."""
    for path in (PACKAGE / "systems").glob("*/**/*.py"):
        own = path.relative_to(PACKAGE / "systems").parts[0]
        for file in direct_imports(PACKAGE.parent, path):
            parts = file.relative_to(PACKAGE).parts
            if parts[0] == "systems" and len(parts) > 2:
                declared = own == "phase4" and parts[2] == "system.py"
                assert parts[1] in (own, "aligned") or declared, f"{path} imports {file}"


def test_signatures_are_short():
    """A function takes six parameters at most, but for compiled loops over plain numbers."""
    contract = {"sdm_loss"}  # the interface that others build on, with labels for both sides
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


def sections(section: type[Section] = Section) -> list[type[Section]]:
    """A section and all that are derived from it, as far as they are of the params."""
    derived = [deeper for below in section.__subclasses__() for deeper in sections(below)]
    return [found for found in (section, *derived) if found.__module__.startswith("ubg.params")]


def test_sections_of_the_params_have_no_defaults_and_no_logic():
    """No stage depends on them: what they decide would change results without DVC's notice."""
    allowed = {"label", "raw_root", "value"}  # titles of figures, a path, the access by key
    for section in sections():
        for field, info in section.model_fields.items():
            assert info.is_required(), f"{section.__name__}.{field} has a default"
        for name, member in vars(section).items():
            if isinstance(member, FunctionType | property | classmethod | staticmethod):
                own = (
                    member.__class__ is not FunctionType or member.__module__ == section.__module__
                )
                checked = name in section.__pydantic_decorators__.model_validators
                assert name.startswith("__") or checked or name in allowed or not own, name


def test_rooms_come_from_the_ground_up_in_the_design():
    """docs/design.md draws the same house."""
    drawn = (ROOT / "docs/design.md").read_text()
    places = [drawn.index(f"`{room.removesuffix('.py')}") for room in ROOMS]
    assert all(first < second for first, second in pairwise(places))
