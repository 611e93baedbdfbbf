"""The real scripts on bad files: one line, exit status 1, and what was made before stays whole."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from spoiled_images import bomb
from spoiled_records import LAYOUTS, spoil
from told import Fault, assert_told, contents

from ubg.data.prepared import load_prepared

REPOSITORY = Path(__file__).parents[2]
TABLE, PACK = "prepare_annotations.py", "pack_images.py"


@pytest.fixture
def project(tmp_path):
    """Makes a folder with params, presets and the data set of a layout, and old outputs."""

    def make(layout):
        folder = tmp_path / "project"
        shutil.copytree(REPOSITORY / "configs", folder / "configs")
        params = (REPOSITORY / "params.yaml").read_text()
        params = re.sub(r"(?m)^dataset: \w+", f"dataset: {layout.format}", params)
        (folder / "params.yaml").write_text(params)
        scale = folder / "configs/scales/tiny.yaml"
        scale.write_text(scale.read_text().replace("\n  batch_size: 64", "\n  batch_size: 8", 1))
        layout.write(folder / "data" / "raw" / layout.format)
        for output in ("data/prepared", "data/images", "plots/images"):
            (folder / output).mkdir(parents=True)
            (folder / output / "old").write_text("made before")
        return folder

    return make


def accept_counts(folder):
    for preset in (folder / "configs" / "datasets").glob("*.yaml"):
        text = preset.read_text().replace("accept_other_counts: false", "accept_other_counts: true")
        preset.write_text(
            re.sub(r"carve_val: \{identities: \d+", "carve_val: {identities: 2", text)
        )


def run(script, folder, **environment):
    return subprocess.run(
        [sys.executable, REPOSITORY / "stages" / script],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(REPOSITORY / "src")} | environment,
        capture_output=True,
        text=True,
        timeout=120,
    )


def cut(root, layout):
    path = root / "annotations" / layout.file
    path.write_bytes(path.read_bytes()[:-100])


def semicolons(root, layout):
    path = root / "annotations" / layout.file
    path.write_text(path.read_text().replace(",", ";"))


def unknown_kind(root, layout):
    path = root / "annotations" / "test_gallery_and_queries.json"
    document = json.loads(path.read_text())
    document["TEXT+\x1b[2J"] = document.pop("TEXT+SK")[:1]
    path.write_text(json.dumps(document))


def steering_path(root, layout):
    spoil(layout, root, "path", "\x1b[2J\ud800.png")


def deep(root, layout):
    path = root / "annotations" / layout.file
    path.write_text('{"pid": ' + "[" * 100_000 + "\n")


def no_validation(root, layout):
    layout.edit(
        root, lambda records: [records.remove(r) for r in records[:] if r["split"] == "val"]
    )


ANNOTATIONS = {
    "no val": (
        "csv",
        no_validation,
        "custom: ",
        "no caption is of the split 'val'",
        "set carve_val",
    ),
    "cut": ("rstp", cut, "data_captions.json, record ", "", "fetch it again"),
    "semicolons": ("csv", semicolons, "annotations.csv, header: ", "has no column", "with commas"),
    "kind": (
        "orbench",
        unknown_kind,
        "list 'TEXT+\\x1b[2J', record 0",
        "a query is made of",
        "correct",
    ),
    "path": ("cuhk_sentences", steering_path, "record 2", r"'\x1b[2J\ud800.png' leaves", "correct"),
    "deep": ("jsonl", deep, "annotations.jsonl, record 0", "nested too deeply", "fetch the file"),
    "counts": (
        "icfg",
        lambda root, layout: None,
        "icfg_pedes",
        "34,674",
        "accept_other_counts: true",
    ),
}


@pytest.mark.parametrize("name", ANNOTATIONS)
def test_prepare_annotations_refuses(project, name):
    layout_name, spoil_, where, says, remedy = ANNOTATIONS[name]
    layout = LAYOUTS[layout_name]
    folder = project(layout)
    if name != "counts":
        accept_counts(folder)
    spoil_(folder / "data" / "raw" / layout.format, layout)
    before = contents(folder)
    result = run(TABLE, folder)
    assert (result.returncode, result.stdout) == (1, "")
    assert_told(Fault(print, where, says, remedy), result.stderr.removesuffix("\n"))
    assert result.stderr.startswith("error: ")
    assert contents(folder) == before


def test_what_no_terminal_shows_and_no_number_holds_is_taken_as_it_is(project):
    """Also where the terminal knows ASCII alone: what is told of them has to be printed there."""
    layout = LAYOUTS["jsonl"]
    folder = project(layout)
    captions = [
        "\ud800 red",
        "a\x1b[2Jb",
        "\u202eabc",
        "红色",
        "| <script>alert(1)</script> `x`",
        "\0a",
    ]

    def make_odd(records):
        for record, caption in zip(records, captions, strict=False):
            record["caption"] = caption
        for record in records:
            record["pid"] = record["pid"].removeprefix("person-") + "0" * 30

    layout.edit(folder / "data/raw/custom", make_odd)
    result = run(TABLE, folder, PYTHONIOENCODING="ascii")
    assert result.returncode == 0, result.stderr
    report = (folder / "data/prepared/report.md").read_text(encoding="utf-8")
    for text in (result.stdout, report):
        assert "\x1b" not in text
        assert "\u202e" not in text
        assert "<script>" not in re.sub("`[^`]*`", "", text), "it is no code in the report"
    table = load_prepared(folder / "data/prepared")
    assert table["caption"].tolist()[: len(captions)] == captions
    assert table["raw_id"].str.len().min() == 32


def test_pack_images_refuses_a_bomb_and_keeps_what_was_packed(project):
    folder = project(LAYOUTS["rstp"])
    accept_counts(folder)
    assert run(TABLE, folder).returncode == 0
    path = min((folder / "data/raw/rstpreid/imgs").iterdir())
    path.write_bytes(bomb(20_000, 20_000, 1, 0))
    before = contents(folder)
    result = run(PACK, folder)
    assert (result.returncode, result.stdout) == (1, "")
    *_, last = result.stderr.splitlines()
    where = f"error: data/raw/rstpreid/imgs/{path.name}: "
    assert_told(Fault(print, where, "is too large", "replace it, or allow some"), last)
    assert last.startswith(where)
    assert "Traceback" not in result.stderr
    assert contents(folder) == before
