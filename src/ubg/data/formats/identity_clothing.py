"""Identity and clothing captions: two JSON files over the images of another data set.

`caption_id.json` and `caption_cloth.json` are lists of `{id, file_path, captions[]}`;
`id_captions.json` and `cloth_captions.json` of `{id, file_path, identity}` and
`{id, file_path, cloth}`. Images, splits and captions are those of the annotations of CUHK-PEDES,
ICFG-PEDES or RSTPReid that lie beside them.

Some texts and lists are empty, and some images are not listed: these images have no such caption.
Several texts of an image go on lines of their own.
"""

from dataclasses import replace
from pathlib import Path
from typing import Any

from ubg.data.faults import Faults
from ubg.data.formats import cuhk_pedes, icfg_pedes, rstpreid
from ubg.data.formats.fields import caption_fault, fields_fault, kind
from ubg.data.formats.json_list import read_json_list
from ubg.data.formats.layouts import find_layout
from ubg.data.formats.records import Parsed, Record

LAYOUTS = (("caption_id.json", "caption_cloth.json"), ("id_captions.json", "cloth_captions.json"))
BASES = (cuhk_pedes, icfg_pedes, rstpreid)


def read(folder: Path) -> Parsed:
    """The records of the data set below, each with its identity and its clothing caption.

    Raises:
        ValueError: see `find_layout` and the readers of the data sets; an image is not among
            theirs, or belongs to another identity.
    """
    identity_file, clothing_file = find_layout(folder, LAYOUTS)
    beside = find_layout(folder, [layout for base in BASES for layout in base.LAYOUTS])
    (base,) = (base for base in BASES if beside in base.LAYOUTS)
    parsed = base.read(folder)
    identity = _read_texts(folder / identity_file, "identity", parsed)
    clothing = _read_texts(folder / clothing_file, "cloth", parsed)
    records = [
        replace(
            record,
            identity_caption="\n".join(identity.get(record.image_path, [])),
            clothing_caption="\n".join(clothing.get(record.image_path, [])),
        )
        for record in parsed.records
    ]
    notes = [
        *parsed.notes,
        *_missing(identity_file, identity, records),
        *_missing(clothing_file, clothing, records),
    ]
    return Parsed(f"{parsed.layout}, {identity_file}, {clothing_file}", records, notes=notes)


def _read_texts(path: Path, name: str, parsed: Parsed) -> dict[str | None, list[str]]:
    """The texts of each image in the file; empty ones are left out."""
    faults = Faults(f"{path}: faulty records")
    identity_of = {record.image_path: record.raw_id for record in parsed.records}
    texts: dict[str | None, list[str]] = {}
    for number, fields in enumerate(read_json_list(path)):
        fault = _fault(fields, name, identity_of, parsed.layout)
        if fault is not None:
            faults.add(f"{path}, record {number}: {fault}")
            continue
        image = fields["img_path" if "img_path" in fields else "file_path"]
        given = [fields[name]] if name in fields else fields["captions"]
        texts.setdefault(image, []).extend(text for text in given if text.strip())
    faults.raise_if_any()
    return texts


def _fault(
    fields: Any, name: str, identity_of: dict[str | None, int | str], base: str
) -> str | None:
    path_field = "img_path" if isinstance(fields, dict) and "img_path" in fields else "file_path"
    single = isinstance(fields, dict) and name in fields
    text_field: dict[str, type] = {name: str} if single else {"captions": list}
    fault = fields_fault(fields, {"id": int, path_field: str} | text_field)
    if fault is not None:
        return fault
    image = fields[path_field]
    if image not in identity_of:
        return f"image {image[:200]!r} is not in {base}; remove the record"
    if identity_of[image] != fields["id"]:
        return (
            f"image {image[:200]!r} is of identity {fields['id']} here and of "
            f"{identity_of[image]} in {base}; correct one"
        )
    for position, text in enumerate([fields[name]] if single else fields["captions"]):
        if not isinstance(text, str):
            return f"caption {position} is not text but {kind(text)}; correct it"
        if text.strip() and (fault := caption_fault(text, f"caption {position}")) is not None:
            return fault
    return None


def _missing(file: str, texts: dict[str | None, list[str]], records: list[Record]) -> list[str]:
    images = {record.image_path for record in records}
    listed = sum(image in texts for image in images)
    empty = sum(not texts[image] for image in images if image in texts)
    if listed == len(images) and not empty:
        return []
    return [
        f"{file}: {len(images) - listed:,} images are not listed and {empty:,} have an empty "
        "caption; they have none"
    ]
