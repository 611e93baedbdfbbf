"""Architectures of pretrained towers, so that a plan needs none of their weights."""

from functools import cache
from pathlib import Path
from typing import Any, Literal

from transformers import (
    AutoConfig,
    BertConfig,
    CLIPTextConfig,
    CLIPVisionConfig,
    PretrainedConfig,
    SiglipVisionConfig,
    T5Config,
)

from ubg.params import ClipTower, Tower
from ubg.runtime.bounded_yaml import load_yaml
from ubg.runtime.opening import Kind as FileKind
from ubg.runtime.opening import read_text
from ubg.towers import open_clip
from ubg.towers.pretrained import HUB_PREFIX, open_checkpoint, read_config, tower_config

Kind = Literal["clip vision", "clip text", "siglip vision", "t5 text", "bert text"]

CONFIGS: dict[Kind, type[PretrainedConfig]] = {
    "clip vision": CLIPVisionConfig,
    "clip text": CLIPTextConfig,
    "siglip vision": SiglipVisionConfig,
    "t5 text": T5Config,
    "bert text": BertConfig,
}


class Architectures:
    """Architectures of the towers that a system asks for.

    They are read from the local cache or folder where the files are, from `published.yaml` or from
    open_clip's own lists where not.

    Attributes:
        notes: what was assumed, a line each.
    """

    def __init__(self) -> None:
        self.notes: list[str] = []

    def tower_config(self, tower: Tower, family: str, part: str) -> dict[str, Any] | None:
        """The architecture of a pretrained tower; None of one that is built from sizes.

        Raises:
            ValueError: its files are not on this machine, and its sizes are not known.
        """
        source = tower.pretrained
        if source is None:
            return None
        if not isinstance(tower, ClipTower):
            kind: Any = f"{family} {part}"
            return self._of_transformers(source, kind).to_dict()
        return self._clip_or_siglip(tower, source, family, part).to_dict()

    def _clip_or_siglip(
        self, tower: ClipTower, source: str, family: Any, part: Any
    ) -> PretrainedConfig:
        kind: Any = f"{family} {part}"
        folder, _, of_open_clip = open_checkpoint(source, tower.architecture)
        if not of_open_clip:
            return tower_config(self._of_transformers(source, kind), family, part, source)
        architecture = tower.architecture
        if architecture is None and source.startswith(HUB_PREFIX):
            architecture = self._known_to_open_clip(folder)
        settings, _ = open_clip.read_settings(folder, architecture)
        return open_clip.tower_config(settings, family, part, source)

    def _known_to_open_clip(self, name: str) -> str | None:
        """What a checkpoint on the hub is called in open_clip; None for the hub to be asked."""
        from open_clip import list_models

        architecture = _table()["open_clip"].get(name, name.rpartition("/")[2])
        if architecture not in list_models():
            return None
        self._note(f"{HUB_PREFIX}{name}: the sizes are those of open_clip's {architecture}")
        return architecture

    def _of_transformers(self, source: str, kind: Kind) -> PretrainedConfig:
        if Path(source).exists():
            return read_config(source)
        try:
            return AutoConfig.from_pretrained(source, local_files_only=True)
        except (OSError, ValueError):
            if source not in _table()[kind]:
                known = ", ".join(sorted(_table()[kind]))
                raise ValueError(
                    f"{source}: is not on this machine, and its sizes are not known here; download "
                    f"it first, or plan with one of {known}"
                ) from None
            self._note(f"{source}: not on this machine; its published sizes are used")
            return published(kind, source)

    def _note(self, line: str) -> None:
        if line not in self.notes:
            self.notes.append(line)


def published(kind: Kind, name: str) -> PretrainedConfig:
    """The config of a published checkpoint in `published.yaml`."""
    return CONFIGS[kind](**_table()[kind][name])


@cache
def _table() -> dict[str, dict[str, Any]]:
    path = Path(__file__).with_name("published.yaml")
    return load_yaml(read_text(path, FileKind.CONFIG))
