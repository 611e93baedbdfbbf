"""Checks of the fields that records of all formats share; each gives what is wrong, or None."""

from collections.abc import Mapping
from typing import Any

from ubg.data.annotations.formats.records import SPLITS
from ubg.runtime.faults import quoted

MAX_CAPTIONS = 1_000
MAX_CAPTION_CHARACTERS = 20_000
_WANTED = {str: "text", int: "a whole number", list: "a list"}
_KINDS = {
    dict: "an object",
    list: "a list",
    str: "text",
    bool: "true or false",
    type(None): "null",
}


def kind(value: Any) -> str:
    """What a JSON value is, in words."""
    return _KINDS.get(type(value), "a number")


def fields_fault(fields: Any, wanted: Mapping[str, type]) -> str | None:
    """Fault of a record that is no object, or lacks a `wanted` field or has it in another type."""
    if not isinstance(fields, dict):
        return f"is not an object but {kind(fields)}; give the fields {', '.join(wanted)}"
    for name, type_ in wanted.items():
        if name not in fields:
            return f"has no field '{name}'; add it"
        if not isinstance(fields[name], type_) or isinstance(fields[name], bool):
            return f"'{name}' is not {_WANTED[type_]} but {kind(fields[name])}; correct it"
    return None


def split_fault(split: str) -> str | None:
    """A split of another name."""
    if split not in SPLITS:
        return f"split {quoted(split)} is unknown; allowed: {', '.join(SPLITS)}"
    return None


def identity_fault(number: int) -> str | None:
    """A number that names no identity."""
    if not 0 <= number < 2**31:
        return f"id {number} is not between 0 and {2**31 - 1}; correct it"
    return None


def is_blank(text: str) -> bool:
    """Whether a text shows nothing."""
    return not any(character.isprintable() and character != " " for character in text)


def caption_fault(caption: Any, name: str = "caption") -> str | None:
    """A caption that is no text, shows nothing, or is longer than any that a person writes."""
    if not isinstance(caption, str):
        return f"{name} is not text but {kind(caption)}; correct it"
    if is_blank(caption):
        return f"{name} is empty; give one or remove it"
    if len(caption) > MAX_CAPTION_CHARACTERS:
        return (
            f"{name} has {len(caption):,} characters, more than {MAX_CAPTION_CHARACTERS:,}; "
            "shorten it"
        )
    return None


def captions_fault(captions: list[Any]) -> str | None:
    """No caption, more than anyone writes for an image, or one that is wrong."""
    if not captions:
        return "has an empty list of captions; give one or remove the record"
    if len(captions) > MAX_CAPTIONS:
        return f"has {len(captions):,} captions, more than {MAX_CAPTIONS:,}; remove some"
    for position, caption in enumerate(captions):
        if (fault := caption_fault(caption, f"caption {position}")) is not None:
            return fault
    return None
