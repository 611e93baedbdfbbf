"""Your own data: `annotations.csv` or `annotations.jsonl`, a record for each caption.

Fields: `image_path` (relative to the folder of images), `caption`, `pid` (a name or a number for
the person), `split` (train, val or test). Others are left alone.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ubg.data.annotations.formats.fields import caption_fault, fields_fault, split_fault
from ubg.data.annotations.formats.layouts import find_layout
from ubg.data.annotations.formats.records import Parsed, Record
from ubg.data.annotations.formats.tabular import read_csv, read_jsonl
from ubg.runtime.faults import Faults, quoted

CSV, JSONL = "annotations.csv", "annotations.jsonl"
LAYOUTS = ((CSV,), (JSONL,))
FIELDS = ("image_path", "caption", "pid", "split")
MAX_PID_CHARACTERS = 200


def read(folder: Path) -> Parsed:
    """The images of the file with their captions; identities are texts, also where numbers.

    Captions of an image that follow each other make one record.

    Raises:
        ValueError: see `find_layout`, `read_csv`, `read_jsonl`; or records are faulty.
    """
    (name,) = find_layout(folder, LAYOUTS)
    path = folder / name
    faults = Faults(f"{path}: faulty records")
    records: list[Record] = []
    rows: Iterator[tuple[int, Mapping[str, Any]]]
    rows = read_csv(path, FIELDS) if name == CSV else read_jsonl(path)
    for number, fields in rows:
        where = f"{path}, record {number}"
        fault = _fault(fields)
        if fault is not None:
            faults.add(f"{where}: {fault}")
            continue
        image = (fields["split"], str(fields["pid"]), fields["image_path"])
        last = records[-1] if records else None
        if last is not None and image == (last.split, last.raw_id, last.image_path):
            last.captions.append(fields["caption"])
        else:
            records.append(Record(where, *image, [fields["caption"]]))
    faults.raise_if_any()
    if not records:
        raise ValueError(f"{path}: has no records; write one for each caption")
    return Parsed(name, records)


def _fault(fields: Mapping[str, Any]) -> str | None:
    numbered = isinstance(fields.get("pid"), int)
    return (
        fields_fault(
            fields,
            {"image_path": str, "caption": str, "pid": int if numbered else str, "split": str},
        )
        or split_fault(fields["split"])
        or _pid_fault(str(fields["pid"]))
        or caption_fault(fields["caption"])
    )


def _pid_fault(pid: str) -> str | None:
    if not pid or pid != pid.strip() or not pid.isprintable():
        shown = quoted(pid)
        return f"pid {shown} is empty, or has blanks at an edge or control characters; correct it"
    if len(pid) > MAX_PID_CHARACTERS:
        return f"pid has {len(pid):,} characters, more than {MAX_PID_CHARACTERS}; shorten it"
    return None
