"""A JSON list of `{split, captions[], file_path, id}`, in which three of the data sets come."""

from pathlib import Path
from typing import Any

from ubg.data.annotations.formats.fields import (
    captions_fault,
    fields_fault,
    identity_fault,
    split_fault,
)
from ubg.data.annotations.formats.json_list import read_json_list
from ubg.data.annotations.formats.records import Record
from ubg.runtime.faults import Faults, quoted


def read_caption_lists(
    path: Path, path_field: str = "file_path", split: str | None = None
) -> list[Record]:
    """Every record of the file, in its order; they are counted from 0. Other fields are left alone.

    Args:
        path: of the file.
        path_field: the field that names the image.
        split: of all records, for a file of one split; a record that says otherwise is a fault.

    Raises:
        ValueError: the file is not such a list, or records are faulty; file and record are named.
    """
    faults = Faults(f"{path}: faulty records")
    records = []
    for number, fields in enumerate(read_json_list(path)):
        where = f"{path}, record {number}"
        fault = _fault(fields, path_field, split)
        if fault is not None:
            faults.add(f"{where}: {fault}")
            continue
        records.append(
            Record(
                where,
                split or fields["split"],
                fields["id"],
                fields[path_field],
                fields["captions"],
            )
        )
    faults.raise_if_any()
    if not records:
        raise ValueError(f"{path}: has no records; fetch the file again")
    return records


def _fault(fields: Any, path_field: str, split: str | None) -> str | None:
    has_split = isinstance(fields, dict) and "split" in fields
    wanted: dict[str, type] = {"split": str} if split is None or has_split else {}
    fault = fields_fault(fields, wanted | {"id": int, path_field: str, "captions": list})
    if fault is not None:
        return fault
    if split is None:
        fault = split_fault(fields["split"])
    elif has_split and fields["split"] != split:
        fault = f"split is {quoted(fields['split'])} in a file of {split}; move the record"
    return fault or identity_fault(fields["id"]) or captions_fault(fields["captions"])
