"""CUHK-PEDES, in the file layouts that are in circulation. SynthPEDES uses the first of them.

- `reid_raw.json`: a list of `{split, captions[], file_path, processed_tokens[][], id}`.
- `train_reid.json`, `val_reid.json`, `test_reid.json`: the same, cut by split.
- `train.json`, `val.json`, `test.json`: `{"annotations": [..]}` with a `{id, file_path, sentence}`
  for each caption, those of an image one after the other.
- `caption_all.json`: a list of `{id, file_path, captions[]}`. Its identity numbers differ from
  those of `reid_raw.json`, and it does not contain the published splits: splits with the published
  numbers of identities are drawn at random.
"""

from dataclasses import replace
from pathlib import Path
from typing import Any

from ubg.data.annotations.formats.caption_lists import read_caption_lists
from ubg.data.annotations.formats.fields import caption_fault, fields_fault, identity_fault
from ubg.data.annotations.formats.json_list import read_json_list, read_json_lists
from ubg.data.annotations.formats.layouts import find_layout
from ubg.data.annotations.formats.records import SPLITS, Parsed, Record
from ubg.data.annotations.shuffle import Shuffler
from ubg.runtime.faults import Faults

WHOLE = ("reid_raw.json",)
BY_SPLIT = ("train_reid.json", "val_reid.json", "test_reid.json")
BY_CAPTION = ("train.json", "val.json", "test.json")
WITHOUT_SPLITS = ("caption_all.json",)
LAYOUTS = (WHOLE, BY_SPLIT, BY_CAPTION, WITHOUT_SPLITS)

DRAWN_SHARE = 13  # of 13,003 identities, 1,000 are for validation and 1,000 for the test
DRAWN_SEED = 0


def read(folder: Path) -> Parsed:
    """Every record of the file or files in `folder`, in their order.

    Raises:
        ValueError: see `find_layout`, `read_caption_lists`.
    """
    layout = find_layout(folder, LAYOUTS)
    name = ", ".join(layout)
    if layout in (BY_SPLIT, BY_CAPTION):
        records: list[Record] = []
        for split, file in zip(SPLITS, layout, strict=True):
            if layout == BY_CAPTION:
                records += _read_by_caption(folder / file, split)
            else:
                records += read_caption_lists(folder / file, split=split)
        return Parsed(name, records)
    path = folder / name
    if layout == WITHOUT_SPLITS and not _has_splits(path):
        return _draw_splits(name, read_caption_lists(path, split="train"))
    return Parsed(name, read_caption_lists(path))


def _read_by_caption(path: Path, split: str) -> list[Record]:
    faults = Faults(f"{path}: faulty records")
    records: list[Record] = []
    for name, number, fields in read_json_lists(path):
        if name != "annotations":
            continue
        where = f"{path}, record {number}"
        fault = _caption_record_fault(fields)
        if fault is not None:
            faults.add(f"{where}: {fault}")
            continue
        image = (fields["id"], fields["file_path"])
        if records and image == (records[-1].raw_id, records[-1].image_path):
            records[-1].captions.append(fields["sentence"])
        else:
            records.append(Record(where, split, *image, [fields["sentence"]]))
    faults.raise_if_any()
    if not records:
        raise ValueError(f"{path}: has no records under 'annotations'; fetch the file again")
    return records


def _caption_record_fault(fields: Any) -> str | None:
    return (
        fields_fault(fields, {"id": int, "file_path": str, "sentence": str})
        or identity_fault(fields["id"])
        or caption_fault(fields["sentence"], "'sentence'")
    )


def _has_splits(path: Path) -> bool:
    first = next(read_json_list(path), None)
    return isinstance(first, dict) and "split" in first


def _draw_splits(name: str, records: list[Record]) -> Parsed:
    """Records of identities that are drawn for validation and test, the others for training."""
    raw_ids: set[Any] = {record.raw_id for record in records}
    identities = sorted(raw_ids)
    drawn = max(1, len(identities) // DRAWN_SHARE)
    if len(identities) < 3:
        raise ValueError(f"{records[0].where}: is one of {len(identities)} identities; give three")
    order = Shuffler(DRAWN_SEED).order(len(identities))
    split_of = {
        identities[place]: "test" if rank < drawn else "val" if rank < 2 * drawn else "train"
        for rank, place in enumerate(order)
    }
    note = (
        f"{name} has no splits: {drawn:,} identities were drawn for validation and {drawn:,} for "
        f"the test (seed {DRAWN_SEED}); no published result compares with these splits"
    )
    return Parsed(
        name, [replace(record, split=split_of[record.raw_id]) for record in records], notes=[note]
    )
