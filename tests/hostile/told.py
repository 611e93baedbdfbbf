"""What every fault of the corpus has to be answered with."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest


@dataclass(frozen=True)
class Fault:
    """One way in which what comes from outside is bad.

    Attributes:
        spoil: makes a good input bad; gets its folder.
        where: file and record, as the answer has to name them.
        says: what is wrong.
        remedy: what to do.
    """

    spoil: Callable[[Path], object]
    where: str
    says: str
    remedy: str


def assert_told(fault: Fault, message: str) -> None:
    """The answer is one short, printable line: file, record, what is wrong and what to do."""
    assert fault.where in message, message
    assert fault.says in message, message
    assert fault.remedy in message[message.index(fault.says) + len(fault.says) :], message
    assert len(message.splitlines()) == 1
    assert message.isprintable(), "it could steer a terminal"
    assert len(message) < 1_000


def refusal(call: Callable[[], object], root: Path) -> str:
    """The message of the ValueError that `call` raises; it must leave `root` as it is."""
    before = contents(root)
    with pytest.raises(ValueError, match=r".") as raised:
        call()
    assert type(raised.value) is ValueError, "a library's own error says nothing of our files"
    assert contents(root) == before, "something was written"
    return str(raised.value)


def contents(root: Path) -> list[tuple[str, int, int]]:
    """Path, size and time of every file below `root`, and the folders."""
    stats = [(path, path.lstat()) for path in sorted(root.rglob("*"))]
    return [
        (str(path), 0, 0) if path.is_dir() else (str(path), stat.st_size, stat.st_mtime_ns)
        for path, stat in stats
    ]
