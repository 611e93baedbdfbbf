"""Who wears what: identity and clothing captions by image, and what `attributes.json` adds."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ubg.data.annotations.formats import identity_clothing
from ubg.data.annotations.formats.fields import fields_fault, identity_fault
from ubg.data.annotations.formats.json_list import read_json_lists
from ubg.data.annotations.table import read_everything
from ubg.data.clothing import UNKNOWN
from ubg.data.prepared import NO_IMAGE
from ubg.runtime.faults import Faults

if TYPE_CHECKING:
    import pandas as pd

ATTRIBUTES = "attributes.json"
BASES = ("cuhk_pedes", "icfg_pedes", "rstpreid", "identity_clothing")
NUMBERS = ("person", "outfit", "body")


def read_clothing(format: str, root: Path, table: "pd.DataFrame") -> "pd.DataFrame | None":
    """The table of `ubg.data.clothing.load_clothing`, or None for a data set without.

    Args:
        format: the reader of the data set.
        root: its folder.
        table: its annotations, split and numbered as they are used.

    Raises:
        ValueError: see `ubg.data.annotations.formats.identity_clothing` and `attributes.json`.
    """
    folder = root / "annotations"
    files = {name for layout in identity_clothing.LAYOUTS for name in layout}
    if format not in BASES or not any((folder / name).exists() for name in files):
        return None
    captioned = table
    if format != "identity_clothing":
        captioned = read_everything("identity_clothing", root).table
    columns = ["image_id", "identity_caption", "clothing_caption"]
    captions = captioned.drop_duplicates("image_id")[columns]
    images = table[table["image_id"] != NO_IMAGE].drop_duplicates("image_id")
    clothing = images[["split", "pid", "raw_id", "image_id"]].merge(captions, on="image_id")
    numbers = _read_attributes(folder / ATTRIBUTES, set(clothing["raw_id"]))
    if numbers:
        clothing[list(NUMBERS)] = [numbers[raw_id] for raw_id in clothing["raw_id"]]
    else:
        clothing["person"] = clothing["outfit"] = clothing["pid"]
        clothing["body"] = UNKNOWN
    in_order = clothing.sort_values("pid", kind="stable")
    for name in ("person", "outfit"):
        number_of = {value: number for number, value in enumerate(in_order[name].unique())}
        clothing[name] = clothing[name].map(number_of)
    return clothing[["split", "pid", *NUMBERS, *columns]]


def _read_attributes(path: Path, identities: set[Any]) -> dict[int, tuple[int, ...]]:
    """`person`, `outfit` and `body` of every identity, by its number; none without the file."""
    if not path.exists():
        return {}
    faults = Faults(f"{path}: faulty records")
    found: dict[int, tuple[int, ...]] = {}
    for name, number, fields in read_json_lists(path):
        if name != "identities":
            continue
        fault = fields_fault(fields, dict.fromkeys(("id", *NUMBERS), int))
        for key in NUMBERS:
            fault = fault or identity_fault(fields[key])
        if fault is not None:
            faults.add(f"{path}, list {name!r}, record {number}: {fault}")
        else:
            found[fields["id"]] = tuple(fields[key] for key in NUMBERS)
    faults.raise_if_any()
    if missing := sorted(identities - set(found)):
        raise ValueError(
            f"{path}: has no identity {missing[0]} ({len(missing):,} are missing); complete or "
            "remove it"
        )
    return found
