"""ICFG-PEDES: one JSON list of `{split, captions[], file_path, processed_tokens[][], id}`.

It has no split for validation.
"""

from pathlib import Path

from ubg.data.annotations.formats.caption_lists import read_caption_lists
from ubg.data.annotations.formats.layouts import find_layout
from ubg.data.annotations.formats.records import Parsed

LAYOUTS = (
    ("ICFG-PEDES.json",),
    ("ICFG_PEDES.json",),
    ("icfg_pedes.json",),
    ("icfg-pedes.json",),
)


def read(folder: Path) -> Parsed:
    """Every record of the file in `folder`, whichever way its name is spelled.

    Raises:
        ValueError: see `find_layout`, `read_caption_lists`.
    """
    (name,) = find_layout(folder, LAYOUTS)
    return Parsed(name, read_caption_lists(folder / name))
