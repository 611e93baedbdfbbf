"""Records of which one field is bad, for every layout that a data set comes in."""

import csv
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import miniatures

NUMBER = 2  # of the record that is spoiled; the miniatures have nothing odd in it


@dataclass(frozen=True)
class Layout:
    """Where a layout keeps what all have.

    Attributes:
        format: its reader.
        file: which holds the records to be spoiled.
        write: its miniature.
        identity, path, caption, split: names of the fields; None where there is no such field.
        captions: whether `caption` is a list.
        records: the list below the whole of the file.
    """

    format: str
    file: str
    write: Callable[[Path], Path]
    identity: str = "id"
    path: str = "file_path"
    caption: str = "captions"
    split: str | None = "split"
    captions: bool = True
    records: Callable[[Any], list] = lambda document: document

    def load(self, root: Path) -> Any:
        path = root / "annotations" / self.file
        if path.suffix == ".csv":
            with path.open(encoding="utf-8", newline="") as file:
                return list(csv.DictReader(file))
        text = path.read_text(encoding="utf-8")
        if path.suffix == ".jsonl":
            return [json.loads(line) for line in text.splitlines()]
        return json.loads(text)

    def save(self, root: Path, document: Any) -> None:
        path = root / "annotations" / self.file
        if path.suffix == ".csv":
            columns = list(dict.fromkeys(name for record in document for name in record))
            with path.open("w", encoding="utf-8", errors="surrogatepass", newline="") as file:
                writer = csv.DictWriter(file, columns)
                writer.writeheader()
                writer.writerows(document)
        elif path.suffix == ".jsonl":
            path.write_text("".join(json.dumps(record) + "\n" for record in document))
        else:
            path.write_text(json.dumps(document))

    def edit(self, root: Path, change: Callable[[list], object]) -> None:
        document = self.load(root)
        change(self.records(document))
        self.save(root, document)


def cuhk(layout: str) -> Callable[[Path], Path]:
    return lambda root: miniatures.write_cuhk_pedes(root, layout)


def custom(name: str) -> Callable[[Path], Path]:
    return lambda root: miniatures.write_custom(root, name)


OWN = {"identity": "pid", "path": "image_path", "caption": "caption", "captions": False}

LAYOUTS = {
    "cuhk": Layout("cuhk_pedes", "reid_raw.json", cuhk("reid_raw.json")),
    "cuhk_all": Layout("cuhk_pedes", "caption_all.json", cuhk("caption_all.json"), split=None),
    "cuhk_splits": Layout("cuhk_pedes", "train_reid.json", cuhk("train_reid.json"), split=None),
    "cuhk_sentences": Layout(
        "cuhk_pedes",
        "train.json",
        cuhk("train.json"),
        caption="sentence",
        captions=False,
        split=None,
        records=lambda document: document["annotations"],
    ),
    "icfg": Layout("icfg_pedes", "ICFG-PEDES.json", miniatures.write_icfg_pedes),
    "rstp": Layout("rstpreid", "data_captions.json", miniatures.write_rstpreid, path="img_path"),
    "orbench": Layout(
        "orbench",
        "train_annos.json",
        miniatures.write_orbench,
        caption="caption",
        captions=False,
        split=None,
    ),
    "identity": Layout(
        "identity_clothing",
        "caption_id.json",
        miniatures.write_identity_clothing,
        split=None,
    ),
    "csv": Layout("custom", "annotations.csv", custom("annotations.csv"), **OWN),
    "jsonl": Layout("custom", "annotations.jsonl", custom("annotations.jsonl"), **OWN),
}


@dataclass(frozen=True)
class Spoil:
    """A bad value in one field.

    Attributes:
        field: of `Layout`: identity, path, caption or split.
        value: put there; `ABSENT` takes the field away.
        says: what is wrong; {name} is the field's name in the layout.
        remedy: what to do.
        text: whether a file without types, such as CSV, can hold it.
    """

    field: str
    value: Any
    says: str
    remedy: str
    text: bool = True


ABSENT = object()
DEEP: Any = []
for _ in range(500):
    DEEP = [DEEP]

LEAVES = ("leaves", "; correct it")
NOT_THERE = ("is not in", "; put it there")
SHOULD_BE = ("should be", "; correct it")

PATHS = {
    "up": ("../x.png", *LEAVES),
    "up within": ("cam/../../x.png", *LEAVES),
    "absolute": ("/etc/passwd", *LEAVES),
    "absolute by two": ("//etc/passwd", *LEAVES),
    "of Windows": ("..\\x.png", *LEAVES),
    "drive": ("C:\\x.png", *LEAVES),
    "zero byte": ("a\0.png", *LEAVES),
    "line break": ("a\n.png", *LEAVES),
    "escape sequence": ("\x1b[2Ja.png", *LEAVES),
    "half a character": ("\ud800.png", *LEAVES),
    "byte that is no character": ("\udce9.png", *LEAVES),
    "written backwards": ("\u202egnp.a", *NOT_THERE),
    "blank": (" ", *NOT_THERE),
    "home": ("~/x.png", *NOT_THERE),
    "variable": ("$HOME/x.png", *NOT_THERE),
    "address": ("file:///etc/passwd", *SHOULD_BE),
    "empty": ("", *SHOULD_BE),
    "folder": (".", *NOT_THERE),
    "not normal": ("./a.png", *SHOULD_BE),
    "slash at the end": ("a.png/", *SHOULD_BE),
    "too long": ("a" * 5_000 + ".png", *NOT_THERE),
    "too deep": ("a/" * 5_000 + "a.png", *NOT_THERE),
    "missing": ("nothing.png", *NOT_THERE),
}

SPOILS = {
    "no path": Spoil("path", ABSENT, "has no field '{name}'", "add it", text=False),
    "no identity": Spoil("identity", ABSENT, "has no field '{name}'", "add it", text=False),
    "no caption": Spoil("caption", ABSENT, "has no field '{name}'", "add it", text=False),
    "no split": Spoil("split", ABSENT, "has no field '{name}'", "add it", text=False),
    "path null": Spoil("path", None, "'{name}' is not text but null", "correct it", text=False),
    "path number": Spoil("path", 7, "'{name}' is not text but a number", "correct it", text=False),
    "path list": Spoil("path", ["a"], "'{name}' is not text but a list", "correct it", text=False),
    "caption null": Spoil("caption", None, "but null", "correct it", text=False),
    "caption object": Spoil("caption", {"en": "a"}, "but an object", "correct it", text=False),
    "caption number": Spoil("caption", 1e400, "but a number", "correct it", text=False),
    "caption nested": Spoil("caption", [DEEP], "is not text but a list", "correct it", text=False),
    "caption blank": Spoil("caption", [" \t\r\n"], "is empty", "give one or remove"),
    "caption invisible": Spoil("caption", ["\u200b\ufeff\x07\u2060"], "is empty", "give one"),
    "caption without end": Spoil(
        "caption", ["a" * 20_001], "has 20,001 characters, more than 20,000", "shorten it"
    ),
    "split unknown": Spoil("split", "dev", "split 'dev' is unknown", "allowed: train, val, test"),
    "split in capitals": Spoil("split", "TRAIN", "'TRAIN' is unknown", "allowed: train, val, test"),
    "split with blanks": Spoil("split", "train ", "'train ' is unknown", "allowed: train"),
    "split steers": Spoil("split", "\x1b[2J\n", r"'\x1b[2J\n' is unknown", "allowed: train"),
    "split number": Spoil("split", 1, "'{name}' is not text but a number", "correct", text=False),
    "split nested": Spoil("split", DEEP, "'{name}' is not text but a list", "correct", text=False),
} | {
    f"path {name}": Spoil("path", value, says, remedy, text="character" not in name)
    for name, (value, says, remedy) in PATHS.items()
}

IDENTITIES = {
    "text": ("7", "'id' is not a whole number but text"),
    "boolean": (True, "'id' is not a whole number but true or false"),
    "fraction": (1.5, "'id' is not a whole number but a number"),
    "not a number": (float("nan"), "'id' is not a whole number but a number"),
    "null": (None, "'id' is not a whole number but null"),
    "list": ([1], "'id' is not a whole number but a list"),
    "negative": (-1, "id -1 is not between 0 and 2147483647"),
    "2^31": (2**31, "id 2147483648 is not between 0 and 2147483647"),
}
NO_OBJECTS = {
    "text": ("a", "is not an object but text"),
    "list": ([1], "is not an object but a list"),
    "null": (None, "is not an object but null"),
    "number": (1, "is not an object but a number"),
}


def spoil(layout: Layout, root: Path, field: str, value: Any) -> None:
    """Put `value` in a field of record `NUMBER`."""
    name = getattr(layout, field)
    if field == "caption" and not layout.captions and isinstance(value, list):
        (value,) = value

    def change(records: list) -> None:
        if value is ABSENT:
            del records[NUMBER][name]
        else:
            records[NUMBER][name] = value

    layout.edit(root, change)
