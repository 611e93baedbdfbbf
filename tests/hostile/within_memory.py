"""A program: read every input named on standard input with little memory, tell what was said.

Standard input is JSON: a list of [name, what, arguments]. The last line that it prints is JSON:
what was said by name, null where the input was taken.
"""

import json
import resource
import sys
from pathlib import Path

import numpy  # noqa: F401 -- what the readers load is no part of what they read
import pandas
import PIL.Image  # noqa: F401
import pydantic  # noqa: F401
import sections

from ubg.data.annotations.table import read_annotations
from ubg.data.images.pack import pack_images

ALLOWED = 400 * 2**20


def limit_memory() -> None:
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + ALLOWED
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def pack(folder: str, threads: int) -> None:
    names = sorted(path.name for path in Path(folder).iterdir())
    table = pandas.DataFrame(
        {
            "image_id": range(len(names)),
            "image_path": names,
            "pid": 0,
            "split": "test",
            "caption": "",
        }
    )
    size = sections.image(height=16, width=16)
    pack_images(table, Path(folder), size, Path(folder).parent / "packed", threads)


def load(path: str) -> None:
    Path(path).read_bytes()


if __name__ == "__main__":
    tasks = json.load(sys.stdin)
    known = {"read_annotations": read_annotations, "pack": pack, "load": load}
    limit_memory()
    said: dict[str, str | None] = {}
    for name, what, arguments in tasks:
        try:
            known[what](*arguments)
            said[name] = None
        except ValueError as error:
            said[name] = str(error)
        except MemoryError:
            said[name] = "MemoryError"
    print(json.dumps(said))
