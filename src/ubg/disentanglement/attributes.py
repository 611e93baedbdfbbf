"""What `attributes.json` tells of the persons, and which of it shows in each image."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ubg.data.annotations.formats.fields import fields_fault
from ubg.data.annotations.formats.json_list import read_json_lists
from ubg.runtime.faults import Faults

FILE = "attributes.json"
# Those that have a value for nearly everybody. Where glasses, hats and bags do not show, nothing
# tells somebody without from somebody turned away.
BODY = ("sex", "age", "build", "skin", "hair", "hair_colour")
CLOTHING = ("upper", "upper_colour", "lower", "lower_colour", "shoes", "shoes_colour")
GROUPS = {"body": BODY, "clothing": CLOTHING}


@dataclass(frozen=True)
class Attributes:
    """Values by attribute, those of `BODY` and `CLOTHING` alone.

    Attributes:
        of_identity: by the identity's number in the file.
        shown: by the path of the image: its identity's values as far as they can be seen there.
    """

    of_identity: dict[int, dict[str, str]]
    shown: dict[str, dict[str, str]]


def read_attributes(path: Path) -> Attributes:
    """Read the lists `identities` and `images`; other lists and fields are passed over.

    Raises:
        ValueError: the file cannot be read, a record is faulty, or an image is of an identity that
            is not listed.
    """
    faults = Faults(f"{path}: faulty records")
    of_identity: dict[int, dict[str, str]] = {}
    images: list[tuple[str, int, str, dict[str, str]]] = []
    for name, number, fields in read_json_lists(path):
        where = f"{path}, list {name!r}, record {number}"
        if name == "identities":
            fault = fields_fault(fields, {"id": int}) or _values_fault(fields, "attributes")
            if fault is None:
                of_identity[fields["id"]] = _chosen(fields["attributes"])
        elif name == "images":
            wanted = {"id": int, "file_path": str}
            fault = fields_fault(fields, wanted) or _values_fault(fields, "visible")
            if fault is None:
                seen = _chosen(fields["visible"])
                images.append((where, fields["id"], fields["file_path"], seen))
        else:
            continue
        if fault is not None:
            faults.add(f"{where}: {fault}")
    shown = {}
    for where, identity, image, seen in images:
        if identity not in of_identity:
            faults.add(f"{where}: identity {identity} is not listed; add it")
            continue
        known = of_identity[identity]
        # A general word, such as "top", says that the garment is seen and not which it is.
        shown[image] = {key: value for key, value in seen.items() if known.get(key) == value}
    faults.raise_if_any()
    return Attributes(of_identity, shown)


def _values_fault(fields: dict[str, Any], name: str) -> str | None:
    values = fields.setdefault(name, {})  # who is whom may be known alone
    if not isinstance(values, dict):
        return f"'{name}' is not an object; give one of attributes"
    for attribute in (*BODY, *CLOTHING):
        if not isinstance(values.get(attribute, ""), str):
            return f"'{name}' has another value than text for {attribute!r}; correct it"
    return None


def _chosen(values: dict[str, str]) -> dict[str, str]:
    return {name: values[name] for name in (*BODY, *CLOTHING) if name in values}
