"""YAML whose size is bounded also when its aliases are written out."""

from typing import Any

import yaml

MOST_VALUES = 100_000


class BoundedLoader(yaml.SafeLoader):
    """A SafeLoader that refuses many values, and those that contain themselves.

    Ten lines of aliases to the line before stand for a thousand million values, which whoever
    copies, merges or prints them would have to go through.
    """

    def __init__(self, stream: str) -> None:
        super().__init__(stream)
        self._counts: dict[yaml.Node, int] = {}

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        is_alias = self.check_event(yaml.AliasEvent)
        node = super().compose_node(parent, index)
        if node is None:
            return None
        if is_alias and node not in self._counts:  # which is not composed to its end
            _refuse("a value contains itself", node)
        if not is_alias:
            self._counts[node] = 1 + sum(self._counts[part] for part in _parts(node))
            if self._counts[node] > MOST_VALUES:
                _refuse(f"more than {MOST_VALUES:,} values", node)
        return node


def _parts(node: yaml.Node) -> list[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        return [part for pair in node.value for part in pair]
    return node.value if isinstance(node, yaml.SequenceNode) else []


def _refuse(problem: str, node: yaml.Node) -> None:
    raise yaml.composer.ComposerError(problem=problem, problem_mark=node.start_mark)


def load_yaml(text: str, loader: type[BoundedLoader] = BoundedLoader) -> Any:
    """The value in a YAML document.

    Args:
        text: the document.
        loader: what it is read by.

    Raises:
        yaml.YAMLError: it is none, or too large.
        RecursionError: it is nested too deeply.
    """
    reader = loader(text)
    try:
        return reader.get_single_data()
    finally:
        reader.dispose()
