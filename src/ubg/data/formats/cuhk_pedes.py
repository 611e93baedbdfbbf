"""CUHK-PEDES: one JSON list of `{split, captions[], file_path, processed_tokens[][], id}`.

`processed_tokens` and any other field are left alone. SynthPEDES has the same layout.
"""

from pathlib import Path
from typing import Any

from ubg.data.faults import Faults
from ubg.data.formats.json_list import read_json_list
from ubg.data.formats.records import SPLITS, Record

MAX_CAPTION_CHARACTERS = 20_000


def read_records(path: Path) -> list[Record]:
    """Every record of the file, in its order; they are counted from 0.

    Raises:
        ValueError: the file is not such a list, or records are faulty; file and record are named.
    """
    faults = Faults(f"{path}: faulty records")
    records = []
    for number, fields in enumerate(read_json_list(path)):
        where = f"{path}, record {number}"
        fault = _fault(fields)
        if fault is not None:
            faults.add(f"{where}: {fault}")
            continue
        records.append(
            Record(where, fields["split"], fields["id"], fields["file_path"], fields["captions"])
        )
    faults.raise_if_any()
    if not records:
        raise ValueError(f"{path}: has no records")
    return records


def _fault(fields: Any) -> str | None:
    """What is wrong with a record, or None."""
    if not isinstance(fields, dict):
        return f"is not an object but {_kind(fields)}"
    for name, kind in (("split", str), ("id", int), ("file_path", str), ("captions", list)):
        if name not in fields:
            return f"has no field '{name}'"
        if not isinstance(fields[name], kind) or isinstance(fields[name], bool):
            wanted = {str: "text", int: "a whole number", list: "a list"}[kind]
            return f"'{name}' is not {wanted} but {_kind(fields[name])}"
    if fields["split"] not in SPLITS:
        return f"split {fields['split'][:40]!r} is unknown; allowed: {', '.join(SPLITS)}"
    if not 0 <= fields["id"] < 2**31:
        return f"id {fields['id']} is not between 0 and {2**31 - 1}"
    if not fields["captions"]:
        return "has an empty list of captions; give one or remove the record"
    for position, caption in enumerate(fields["captions"]):
        if not isinstance(caption, str):
            return f"caption {position} is not text but {_kind(caption)}"
        if not any(character.isprintable() and character != " " for character in caption):
            return f"caption {position} is empty; give one or remove it"
        if len(caption) > MAX_CAPTION_CHARACTERS:
            return (
                f"caption {position} has {len(caption):,} characters, "
                f"more than {MAX_CAPTION_CHARACTERS:,}"
            )
    return None


def _kind(value: Any) -> str:
    names = {
        dict: "an object",
        list: "a list",
        str: "text",
        bool: "true or false",
        type(None): "null",
    }
    return names.get(type(value), "a number")
