"""From a YAML file to a typed section, or to one line for each fault."""

import re
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import ValidationError

from ubg.params.section import Section

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
    key = ".".join(str(part) for part in fault["loc"]) or "(top level)"
    if fault["type"] == "extra_forbidden":
        return f"{shown}: {key}: unknown key; remove it or correct its spelling"
    if fault["type"] == "missing":
        return f"{shown}: {key}: missing; add it"
    value = repr(fault["input"])
    value = value if len(value) <= 80 else value[:77] + "..."
    return f"{shown}: {key}: {value} is not allowed: {fault['msg']}"


def _read_yaml(path: Path, shown: Path) -> Any:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"{shown}: cannot be read: {error}") from None
    try:
        return yaml.load(text, Loader=_Loader)  # noqa: S506 -- a SafeLoader subclass
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f", line {mark.line + 1}" if mark is not None else ""
        problem = getattr(error, "problem", None) or "not YAML"
        raise ValueError(f"{shown}{where}: {problem}") from None


class _Loader(yaml.SafeLoader):
    """YAML 1.2 floats (`1e-5` is a number) and no duplicate keys."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [key.value for key, _ in node.value]
        for position, key in enumerate(keys):
            if key in keys[:position]:
                raise yaml.constructor.ConstructorError(
                    problem=f"key {key!r} is given twice",
                    problem_mark=node.value[position][0].start_mark,
                )
        return super().construct_mapping(node, deep)


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"^[-+]?(\d+\.?\d*|\.\d+)[eE][-+]?\d+$"),
    list("-+0123456789."),
)
