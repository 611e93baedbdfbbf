"""A filter over what is known of the images of a gallery."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Any

MAX_TERMS, MAX_LENGTH = 32, 500
MAX_STARS = 4  # of a pattern: the time to match grows with their power
_DAY = re.compile(r"\d{4}(-\d\d(-\d\d(T\d\d(:\d\d(:\d\d)?)?)?)?)?")


@dataclass(frozen=True)
class Filter:
    """What an image must have to be found; an empty filter lets all pass.

    Attributes:
        cameras: its camera is one of these.
        tags: it has all of these.
        folders: it is of one of these folders, absolute, as indexed.
        path: pattern of its path below the folder: `*` any characters, `?` one, `[ab]` one of them.
        captured_from: at or after it, as "2024-05-01" or "2024-05-01T12:30"; local time of the
            camera. An image without a time does not pass.
        captured_to: at or before it; a day includes the whole of it.
        min_height: in pixels.
    """

    cameras: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    folders: tuple[str, ...] = ()
    path: str | None = None
    captured_from: str | None = None
    captured_to: str | None = None
    min_height: int | None = None
    _sql: tuple[str, tuple[Any, ...]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        for name in ("captured_from", "captured_to"):
            time = getattr(self, name)
            if time is not None and not _is_time(time):
                raise ValueError(
                    f"filter: {time!r} is no time; write 2024-05-01 or 2024-05-01T12:30"
                )
        if self.path is not None and self.path.count("*") > MAX_STARS:
            raise ValueError(f"filter: {self.path!r}; give {MAX_STARS} `*` at most")
        object.__setattr__(self, "_sql", self._condition())

    @classmethod
    def parse(cls, terms: Iterable[str]) -> "Filter":
        """From terms such as "camera=3"; `camera`, `tag` and `folder` may be there several times.

        The keys are camera, tag, folder, path, from, to and min_height.

        Raises:
            ValueError: an unknown key, a value that does not fit, or too many terms.
        """
        several: dict[str, list[str]] = {"camera": [], "tag": [], "folder": []}
        single: dict[str, str] = {}
        for count, term in enumerate(terms):
            key, equals, value = term.partition("=")
            if count >= MAX_TERMS or len(term) > MAX_LENGTH:
                raise ValueError(
                    f"filter: give {MAX_TERMS} terms of {MAX_LENGTH} characters at most"
                )
            if not equals or not value or key not in (*several, *_SINGLE):
                raise ValueError(
                    f"filter: {term!r}; write KEY=VALUE, KEY one of "
                    f"{', '.join((*several, *_SINGLE))}"
                )
            if key in several:
                several[key].append(value)
            elif key in single:
                raise ValueError(f"filter: {key} is given twice; give it once")
            else:
                single[key] = value
        height = single.get("min_height")
        if height is not None and not re.fullmatch(r"\d{1,6}", height):
            raise ValueError(f"filter: min_height={height}; give a number of pixels")
        return cls(
            cameras=tuple(several["camera"]),
            tags=tuple(several["tag"]),
            folders=tuple(several["folder"]),
            path=single.get("path"),
            captured_from=single.get("from"),
            captured_to=single.get("to"),
            min_height=None if height is None else int(height),
        )

    @property
    def is_empty(self) -> bool:
        """Whether every image passes."""
        return not any(getattr(self, item.name) for item in fields(self) if item.init)

    @property
    def sql(self) -> tuple[str, tuple[Any, ...]]:
        """A condition on the table `images`, joined with `folders`, and its parameters."""
        return self._sql

    def _condition(self) -> tuple[str, tuple[Any, ...]]:
        conditions: list[tuple[str, tuple[Any, ...]]] = [("1", ())]
        if self.cameras:
            conditions.append((f"images.camera IN ({_marks(self.cameras)})", self.cameras))
        if self.folders:
            conditions.append((f"folders.path IN ({_marks(self.folders)})", self.folders))
        conditions += [("instr(images.tags, ?)", (f";{tag};",)) for tag in self.tags]
        if self.path is not None:
            conditions.append(("images.path GLOB ?", (self.path,)))
        if self.captured_from is not None:
            conditions.append(("images.captured_at >= ?", (self.captured_from,)))
        if self.captured_to is not None:
            # A text sorts before all that begin with it: "~" is behind every digit and sign.
            conditions.append(("images.captured_at <= ?", (f"{self.captured_to}~",)))
        if self.min_height is not None:
            conditions.append(("images.height >= ?", (self.min_height,)))
        text = " AND ".join(condition for condition, _ in conditions)
        return text, tuple(value for _, values in conditions for value in values)


def _is_time(text: str) -> bool:
    if not _DAY.fullmatch(text):
        return False
    try:
        datetime.fromisoformat(text + "2000-01-01T00:00:00"[len(text) :])
    except ValueError:
        return False
    return True


_SINGLE = ("path", "from", "to", "min_height")


def _marks(values: tuple[str, ...]) -> str:
    return ", ".join("?" * len(values))
