"""From a YAML file to a typed section, or to one line for each fault."""

import re
import reprlib
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import ValidationError

from ubg.params.section import Section
from ubg.runtime.bounded_yaml import BoundedLoader, load_yaml
from ubg.runtime.faults import key_of
from ubg.runtime.opening import Kind, read_text

S = TypeVar("S", bound=Section)


def read_section(section: type[S], path: Path, root: Path) -> S:
    """The YAML file at `path`, which faults name as it lies below `root`.

    Raises:
        ValueError: unreadable file, unknown key, wrong type or a value out of range.
    """
    shown = path.relative_to(root)
    values = _read_yaml(path, shown)
    try:
        return section.model_validate(values)
    except ValidationError as error:
        lines = [_one_line(shown, fault) for fault in error.errors(include_url=False)]
        raise ValueError("\n".join(lines)) from None


def _one_line(shown: Path, fault: Any) -> str:
    key = key_of(fault["loc"]) or "(top level)"
    if fault["type"] == "extra_forbidden":
        return f"{shown}: {key}: unknown key; remove it or correct its spelling"
    if fault["type"] == "missing":
        return f"{shown}: {key}: missing; add it"
    value = reprlib.repr(fault["input"])
    value = value if len(value) <= 80 else value[:77] + "..."
    return f"{shown}: {key}: {value} is not allowed: {fault['msg']}"


def _read_yaml(path: Path, shown: Path) -> Any:
    try:
        text = read_text(path, Kind.CONFIG)
    except (OSError, ValueError) as error:
        raise ValueError(f"{shown}: cannot be read: {error}") from None
    try:
        return load_yaml(text, _Loader)
    except RecursionError:
        raise ValueError(f"{shown}: is nested too deeply") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f", line {mark.line + 1}" if mark is not None else ""
        problem = getattr(error, "problem", None) or "not YAML"
        raise ValueError(f"{shown}{where}: {problem}") from None


class _Loader(BoundedLoader):
    """YAML 1.2 floats (`1e-5` is a number) and no duplicate keys."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if not isinstance(key.value, str):
                continue
            if key.value in seen:
                raise yaml.constructor.ConstructorError(
                    problem=f"key {key.value[:80]!r} is given twice", problem_mark=key.start_mark
                )
            seen.add(key.value)
        return super().construct_mapping(node, deep)


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"^[-+]?(\d+\.?\d*|\.\d+)[eE][-+]?\d+$"),
    list("-+0123456789."),
)
