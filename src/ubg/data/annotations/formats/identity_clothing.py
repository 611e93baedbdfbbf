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

from ubg.data.annotations.formats import cuhk_pedes, icfg_pedes, rstpreid
from ubg.data.annotations.formats.fields import (
    MAX_CAPTION_CHARACTERS,
    MAX_CAPTIONS,
    caption_fault,
    fields_fault,
    identity_fault,
    is_blank,
)
from ubg.data.annotations.formats.json_list import read_json_list
from ubg.data.annotations.formats.layouts import find_layout
from ubg.data.annotations.formats.records import Parsed, Record
from ubg.runtime.faults import Faults, quoted

LAYOUTS = (("caption_id.json", "caption_cloth.json"), ("id_captions.json", "cloth_captions.json"))
BASES = (cuhk_pedes, icfg_pedes, rstpreid)

Texts = dict[str | None, list[str]]  # of each image, by its path


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


def _read_texts(path: Path, name: str, parsed: Parsed) -> Texts:
    """The texts of each image in the file; empty ones are left out."""
    faults = Faults(f"{path}: faulty records")
    identity_of = {record.image_path: record.raw_id for record in parsed.records}
    texts: Texts = {}
    for number, fields in enumerate(read_json_list(path)):
        where = f"{path}, record {number}"
        path_field, text_field = _field_names(fields, name)
        fault = _fault(fields, path_field, text_field, identity_of, parsed.layout)
        if fault is not None:
            faults.add(f"{where}: {fault}")
            continue
        of_image = texts.setdefault(fields[path_field], [])
        given = [text for text in _given(fields, text_field) if not is_blank(text)]
        if (length := sum(map(len, of_image)) + sum(map(len, given))) > MAX_CAPTION_CHARACTERS:
            faults.add(
                f"{where}: the captions of the image have {length:,} characters, more than "
                f"{MAX_CAPTION_CHARACTERS:,}; shorten them"
            )
            continue
        of_image += given
    faults.raise_if_any()
    return texts


def _field_names(fields: Any, name: str) -> tuple[str, str]:
    """Those of the path and of the texts, which depend on where the file comes from."""
    there = fields if isinstance(fields, dict) else {}
    return "img_path" if "img_path" in there else "file_path", name if name in there else "captions"


def _given(fields: dict[str, Any], text_field: str) -> list[Any]:
    return fields["captions"] if text_field == "captions" else [fields[text_field]]


def _fault(
    fields: Any,
    path_field: str,
    text_field: str,
    identity_of: dict[str | None, int | str],
    base: str,
) -> str | None:
    wanted = {"id": int, path_field: str, text_field: list if text_field == "captions" else str}
    fault = fields_fault(fields, wanted) or identity_fault(fields["id"])
    if fault is not None:
        return fault
    image = fields[path_field]
    if image not in identity_of:
        return f"image {quoted(image)} is not in {base}; remove the record"
    if identity_of[image] != fields["id"]:
        return (
            f"image {quoted(image)} is of identity {fields['id']} here and of "
            f"{identity_of[image]} in {base}; correct one"
        )
    given = _given(fields, text_field)
    if len(given) > MAX_CAPTIONS:
        return f"has {len(given):,} captions, more than {MAX_CAPTIONS:,}; remove some"
    for position, text in enumerate(given):
        if not (isinstance(text, str) and is_blank(text)):
            fault = fault or caption_fault(text, f"caption {position}")
    return fault


def _missing(file: str, texts: Texts, records: list[Record]) -> list[str]:
    """A line that counts the images of `records` without a text, if there are any."""
    images = {record.image_path for record in records}
    listed = sum(image in texts for image in images)
    empty = sum(not texts[image] for image in images if image in texts)
    if listed == len(images) and not empty:
        return []
    return [
        f"{file}: {len(images) - listed:,} images are not listed and {empty:,} have an empty "
        "caption; they have none"
    ]
