"""What a stage script imports, read from the code without running it."""

import ast
from collections.abc import Collection, Iterator
from pathlib import Path

# What a script calls of a system; the other functions of its `system.py` are not run.
CALLED_BY = {
    "train.py": {"task"},
    "evaluate.py": {"load", "evaluate", "code_score"},
    "evaluate_on.py": {"load", "code_score"},
    "evaluate_disentanglement.py": {"load"},
}
FIELDS = ("network", "task", "load", "evaluate", "code_score")  # of `System`


def imported_files(root: Path, script: str, systems: Collection[str]) -> set[str]:
    """The files of the package that run when `stages/<script>` does, as paths below `root`.

    Imports count wherever they are written, also inside of functions. Three kinds do not: those for
    type checking alone; those of the other arms of the `match` that names the systems; and those
    inside a function of an `__init__.py` or of a system that this script has no use for.

    Args:
        root: of the repository.
        script: such as "train.py".
        systems: those that it is called with.
    """
    found: set[str] = set()
    waiting = [root / "stages" / script]
    while waiting:
        path = waiting.pop()
        name = path.relative_to(root).as_posix()
        if name in found:
            continue
        found.add(name)
        called = _called(path, script)
        for module in _imports(ast.parse(path.read_text()), systems, called):
            waiting += _files(root, module)
    return {name for name in found if name.startswith("src/")}


def direct_imports(source: Path, path: Path) -> set[Path]:
    """The files of the package that a file imports itself, wherever it does."""
    found = set()
    for module in _imports(ast.parse(path.read_text()), (), None):
        *_, last = _files(source.parent, module)
        found.add(last)
    return found


def _called(path: Path, script: str) -> set[str] | None:
    """The functions of a file whose imports count; None for all of them."""
    if path.name == "system.py":
        return _functions(ast.parse(path.read_text()), CALLED_BY[script])
    if path.parts[-2:] == ("systems", "__init__.py"):
        return {"system_named"}
    return set() if path.name == "__init__.py" else None


def _functions(module: ast.Module, wanted: set[str]) -> set[str]:
    """What the functions are called that a `system.py` gives `System` for these fields."""
    (call,) = [
        node
        for node in ast.walk(module)
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "System"
    ]
    given = dict(zip(FIELDS, call.args, strict=False)) | {
        keyword.arg: keyword.value for keyword in call.keywords
    }
    return {ast.unparse(given[field]) for field in wanted if field in given}


def _imports(node: ast.AST, systems: Collection[str], called: set[str] | None) -> Iterator[str]:
    """The modules of the package that the code below `node` imports."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.ClassDef):
            yield from _imports(child, systems, None)
        elif isinstance(child, ast.FunctionDef) and called is not None:
            if child.name in called:
                yield from _imports(child, systems, None)
        elif isinstance(child, ast.ImportFrom) and (child.module or "").startswith("ubg"):
            yield from (f"{child.module}.{alias.name}" for alias in child.names)
        elif isinstance(child, ast.Import):
            yield from (alias.name for alias in child.names if alias.name.startswith("ubg"))
        elif not _is_for_typing(child) and not _names_another(child, systems):
            yield from _imports(child, systems, called)


def _is_for_typing(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)


def _names_another(node: ast.AST, systems: Collection[str]) -> bool:
    """Whether this is the arm of a `match` for another system."""
    match node:
        case ast.match_case(pattern=ast.MatchValue(value=ast.Constant(value=name))):
            return name not in systems
    return False


def _files(root: Path, module: str) -> list[Path]:
    """The files that run when `module`, perhaps a name in a module, is imported: parents too."""
    found = []
    place = root / "src"
    for part in module.split("."):
        place = place / part
        if place.is_dir():
            found.append(place / "__init__.py")
        elif place.with_suffix(".py").is_file():
            found.append(place.with_suffix(".py"))
    assert found[1:] or module.count(".") <= 1, module
    return found
