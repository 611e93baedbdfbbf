"""RSTPReid: one JSON list of `{id, img_path, captions[2], split}`."""

from pathlib import Path

from ubg.data.annotations.formats.caption_lists import read_caption_lists
from ubg.data.annotations.formats.layouts import find_layout
from ubg.data.annotations.formats.records import Parsed

LAYOUTS = (("data_captions.json",),)


def read(folder: Path) -> Parsed:
    """Every record of the file in `folder`.

    Raises:
        ValueError: see `find_layout`, `read_caption_lists`.
    """
    (name,) = find_layout(folder, LAYOUTS)
    return Parsed(name, read_caption_lists(folder / name, path_field="img_path"))
