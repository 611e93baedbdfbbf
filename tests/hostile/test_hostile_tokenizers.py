"""A folder of a tokenizer from a stranger: one line, before the library sees what it dies of."""

import json
import os
import random

import pytest

from ubg.data.text.tokenizers import load_tokenizer
from ubg.data.text.unigram import fit_tokenizer

VARIANTS = int(os.environ.get("UBG_HOSTILE", "20"))
SPOILT = (None, [], {}, [[]], "", "x" * 10**4, -1, 1.5, 10**12, True, {"type": "Precompiled"})


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tokenizer")
    fit_tokenizer(["a man in a red coat", "a woman in blue jeans"] * 4, 60, folder)
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture
def folder(original, tmp_path):
    for name, content in original.items():
        (tmp_path / name).write_bytes(content)
    return tmp_path


def refusal(folder):
    with pytest.raises(ValueError, match="cannot be loaded") as caught:
        load_tokenizer(folder)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 1000
    return str(caught.value)


def changed(folder, change):
    values = json.loads((folder / "tokenizer.json").read_text())
    change(values)
    (folder / "tokenizer.json").write_text(json.dumps(values))


def test_a_piece_of_megabytes_is_refused(folder):
    changed(folder, lambda values: values["model"]["vocab"].append(["x" * 10**7, -1.0]))
    assert "a piece has more than 1,000 characters" in refusal(folder)


def test_too_many_pieces_are_refused(folder):
    changed(folder, lambda v: v["model"].update(vocab=[["a", 0.0]] * (2**20 + 1)))
    assert "pieces" in refusal(folder)


def test_a_hole_of_gigabytes_and_a_pipe_are_refused(folder):
    with (folder / "tokenizer.json").open("wb") as file:
        file.truncate(2**40)
    assert "has 1,099,511,627,776 bytes" in refusal(folder)


def test_a_broken_normaliser_is_refused(folder):
    broken = {"type": "Precompiled", "precompiled_charsmap": "/////w=="}
    changed(folder, lambda values: values.update(normalizer=broken))
    try:
        load_tokenizer(folder)("a man")
    except ValueError as error:
        assert "cannot be loaded" in str(error)  # noqa: PT017 -- a library that reads it is as good


def test_long_patterns_and_many_parts_are_refused(folder):
    replace = {"type": "Replace", "pattern": {"Regex": "(a+)+" * 1000}, "content": ""}
    changed(folder, lambda values: values.update(normalizer=replace))
    assert "a pattern that is too long" in refusal(folder)
    many = {"type": "Sequence", "normalizers": [{"type": "NFC"}] * 200}
    changed(folder, lambda values: values.update(normalizer=many))
    assert "its normalizer has 201 parts" in refusal(folder)


def test_spoilt_entries_are_loaded_or_refused_in_one_line(folder, original):
    draw = random.Random(0)
    for _ in range(VARIANTS):
        values = json.loads(original["tokenizer.json"])
        inner = values
        while True:
            key = draw.choice(sorted(inner)) if isinstance(inner, dict) else draw.randrange(3)
            deeper = isinstance(inner[key], dict | list) and len(inner[key]) > 2
            if not (deeper and draw.random() < 0.8):
                break
            inner = inner[key]
        inner[key] = draw.choice(SPOILT)
        (folder / "tokenizer.json").write_text(json.dumps(values))
        told = ""
        try:
            load_tokenizer(folder)
        except ValueError as error:
            told = str(error)
        assert "\n" not in told
        assert len(told) < 1000
