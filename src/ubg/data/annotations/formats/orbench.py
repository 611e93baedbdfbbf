"""ORBench, as at PRCV 2025: four modalities, and queries of any combination of them.

- `train_annos.json`: a list of `{id, file_path "vis/0941/x.jpg", caption}`.
- `test_gallery_and_queries.json`: an object of lists. `RGB_GALLERY` holds `[number, path]`. The
  other names are kinds of query, such as `NIR` or `TEXT+NIR+CP+SK`, whose rows hold a number and
  then, for each modality of the name in its order, a path or a caption.

A person is named by the folder of the images. The `id` and the numbers are labels of their own;
those of the test are led back to folders by the gallery.
"""

import re
from collections import Counter
from pathlib import Path
from typing import Any

from ubg.data.annotations.formats.fields import caption_fault, fields_fault, identity_fault, kind
from ubg.data.annotations.formats.json_list import read_json_list, read_json_lists
from ubg.data.annotations.formats.layouts import find_layout
from ubg.data.annotations.formats.records import Parsed, Query, Record
from ubg.data.query_kinds import KINDS, PARTS
from ubg.runtime.faults import Faults, quoted

TRAIN, TEST = "train_annos.json", "test_gallery_and_queries.json"
LAYOUTS = ((TRAIN, TEST),)
GALLERY = "RGB_GALLERY"
IMAGES = {"NIR": "nir", "CP": "cp", "SK": "sk"}  # modality of a query, and its folder

_PATH = re.compile(r"(vis|nir|cp|sk)/([0-9]{4})/[^/]+")


def read(folder: Path) -> Parsed:
    """Training images with captions, then the gallery, then the queries that are text alone.

    Raises:
        ValueError: a file is not of that form, or its records are faulty: paths of another form, a
            query for somebody who is not in the gallery, or with images of somebody else.
    """
    find_layout(folder, LAYOUTS)
    train, notes = _read_train(folder / TRAIN)
    gallery, queries = _read_test(folder / TEST)
    texts = [
        Record(query.where, "test", query.raw_id, None, [query.text])
        for query in queries
        if query.kind == "TEXT"
    ]
    there = {query.kind for query in queries}
    missing = [name for name in KINDS if name not in there]
    if missing:
        notes.append(f"{TEST} has no queries of {', '.join(missing)}")
    return Parsed(f"{TRAIN}, {TEST}", train + gallery + texts, queries, notes)


def read_queries(folder: Path) -> list[Query]:
    """The queries of the test file, as `read` has them.

    Raises:
        ValueError: see `read`.
    """
    return _read_test(folder / TEST)[1]


def _read_train(path: Path) -> tuple[list[Record], list[str]]:
    faults = Faults(f"{path}: faulty records")
    records = []
    labels: dict[int, set[int]] = {}
    for number, fields in enumerate(read_json_list(path)):
        where = f"{path}, record {number}"
        fault = (
            fields_fault(fields, {"id": int, "file_path": str, "caption": str})
            or identity_fault(fields["id"])
            or path_fault(fields["file_path"], "vis")
            or caption_fault(fields["caption"])
        )
        if fault is not None:
            faults.add(f"{where}: {fault}")
            continue
        identity = person(fields["file_path"])
        labels.setdefault(identity, set()).add(fields["id"])
        records.append(
            Record(where, "train", identity, fields["file_path"], [fields["caption"]], "vis")
        )
    faults.raise_if_any()
    if not records:
        raise ValueError(f"{path}: has no records; fetch the file again")
    folders = Counter(label for of_folder in labels.values() for label in of_folder)
    several = sum(len(of_folder) > 1 for of_folder in labels.values())
    shared = sum(count > 1 for count in folders.values())
    if several or shared:
        return records, [
            f"{TRAIN}: {several:,} folders have several ids and {shared:,} ids several folders; "
            "the folder was taken for the identity"
        ]
    return records, []


def _read_test(path: Path) -> tuple[list[Record], list[Query]]:
    faults = Faults(f"{path}: faulty records")
    gallery: list[Record] = []
    person_of: dict[int, int] = {}
    rows = []
    for name, number, row in read_json_lists(path):
        where = f"{path}, list {name!r}, record {number}"
        if name != GALLERY:
            fault = _row_fault(name, row)
            if fault is None:
                rows.append((where, name, row))
        else:
            fault = _gallery_fault(row, person_of)
            if fault is None:
                label, image = row
                person_of[label] = person(image)
                gallery.append(Record(where, "test", person_of[label], image, [], "vis"))
        if fault is not None:
            faults.add(f"{where}: {fault}")
    faults.raise_if_any()
    names = {name for _, name, _ in rows}
    for name, there in ((GALLERY, bool(gallery)), ("TEXT", "TEXT" in names)):
        if not there:
            raise ValueError(f"{path}: has nothing under {name!r}; fetch the file again")
    queries = []
    for where, name, (label, *parts) in rows:
        fault = _person_fault(label, name, parts, person_of)
        if fault is not None:
            faults.add(f"{where}: {fault}")
            continue
        named = dict(zip(name.lower().split("+"), parts, strict=True))
        queries.append(Query(where, name, person_of[label], **named))
    faults.raise_if_any()
    return gallery, queries


def _gallery_fault(row: Any, person_of: dict[int, int]) -> str | None:
    if not isinstance(row, list) or len(row) != 2:
        return "is not a list of a number and a path; fetch the file again"
    label, image = row
    fault = _label_fault(label) or path_fault(image, "vis")
    if fault is None and person_of.get(label, person(image)) != person(image):
        return (
            f"number {label} is person {person(image)} here and {person_of[label]} before; "
            "correct one"
        )
    return fault


def _row_fault(name: str, row: Any) -> str | None:
    parts = name.split("+")
    if len(set(parts)) < len(parts) or not set(parts) <= set(PARTS):
        return f"a query is made of {', '.join(PARTS)}, not {quoted(name)}; correct it"
    if not isinstance(row, list) or len(row) != 1 + len(parts):
        return f"is not a list of a number and {len(parts)} parts; fetch the file again"
    fault = _label_fault(row[0])
    for part, value in zip(parts, row[1:], strict=True):
        fault = fault or (
            caption_fault(value) if part == "TEXT" else path_fault(value, IMAGES[part])
        )
    return fault


def _person_fault(label: int, name: str, parts: list[str], person_of: dict[int, int]) -> str | None:
    if label not in person_of:
        return f"number {label} is not in {GALLERY}; remove the query or complete the gallery"
    for part, value in zip(name.split("+"), parts, strict=True):
        if part != "TEXT" and person(value) != person_of[label]:
            return (
                f"number {label} is person {person_of[label]} in {GALLERY}, but {quoted(value)} "
                f"shows person {person(value)}; correct one"
            )
    return None


def _label_fault(label: Any) -> str | None:
    if not isinstance(label, int) or isinstance(label, bool):
        return f"the number of a person is not a whole number but {kind(label)}; correct it"
    return identity_fault(label)


def path_fault(path: Any, modality: str) -> str | None:
    """A path that does not tell modality and person."""
    if not isinstance(path, str):
        return f"a path is not text but {kind(path)}; correct it"
    match = _PATH.fullmatch(path)
    if match is None or match[1] != modality:
        return f"image path {quoted(path)} should be {modality}/<four digits>/<name>; correct it"
    return None


def person(path: str) -> int:
    """The number of the person whose folder a path goes through."""
    return int(path.split("/")[1])
