"""A folder of a tokenizer from a stranger: one line, before the library sees what it dies of."""

import json
import os
import random
import subprocess
import sys

import pytest

from ubg.data.text import trial
from ubg.data.text.tokenizers import load_tokenizer, token_ids
from ubg.data.text.unigram import fit_tokenizer

VARIANTS = int(os.environ.get("UBG_HOSTILE", "20"))
PADDING = {"direction": "Right", "pad_id": 0, "pad_type_id": 0, "pad_token": "<pad>"}
SPLIT = {"behavior": "Isolated", "invert": False}
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


GROWING = {"type": "Replace", "pattern": {"String": "q"}, "content": "q" * 100}
# What would end or stop this process, and what is said of it instead.
FATAL = {
    "broken charsmap": ("normalizer", {"type": "Precompiled", "precompiled_charsmap": "/////w=="}),
    "pieces": ("model", {"type": "Unigram", "vocab": [["a", 0.0]] * 3, "unk_id": 10**6}),
    "padding": ("padding", {"strategy": {"Fixed": 10**11}, **PADDING}),
    "pattern": ("pre_tokenizer", {"type": "Split", "pattern": {"Regex": "(a+)+b"}, **SPLIT}),
}


@pytest.mark.parametrize("kind", FATAL)
def test_what_would_end_this_process_ends_a_child(folder, kind):
    name, value = FATAL[kind]
    changed(folder, lambda values: values.update({name: value}))
    told = refusal(folder)
    assert any(words in told for words in ("reading it crashes", "Onig: Regex", "UnkIdNotIn"))


def test_a_caption_that_the_library_fails_on_is_told_in_one_line(folder):
    """No caption that was tried has this character."""
    split = {"type": "Split", "pattern": {"Regex": "(ж+)+b"}, **SPLIT}
    changed(folder, lambda values: values.update(pre_tokenizer=split))
    tokenizer = load_tokenizer(folder)
    with pytest.raises(ValueError, match="the tokenizer fails on a caption: Onig: Regex"):
        token_ids(tokenizer, ["ж" * 300])


def test_replacements_that_multiply_are_refused_whatever_they_replace(folder):
    parts = {"type": "Sequence", "normalizers": [GROWING] * 3}
    changed(folder, lambda values: values.update(normalizer=parts))
    assert "its normalizer makes a text up to 1,000,000 times as long" in refusal(folder)


def test_a_child_that_does_not_come_back_is_ended(folder, monkeypatch):
    """A piece of ten megabytes, had it come so far: it takes minutes, or all memory."""
    changed(folder, lambda values: values["model"]["vocab"].append(["x" * 10**7, -1.0]))
    with pytest.raises(ValueError, match=r"takes more than \d (s of processor|GiB of memory)"):
        trial.try_in_child([folder / "tokenizer.json"])
    monkeypatch.setattr(trial, "WAIT", 0.5)
    with pytest.raises(ValueError, match=r"takes more than 0\.5 s$"):
        trial.try_in_child([folder / "tokenizer.json"])


def test_a_child_sees_an_aborting_sentencepiece_model(tmp_path):
    (tmp_path / "spiece.model").write_bytes(b"\x0a\xff\xff\xff\xff\x0f" * 9)
    with pytest.raises(ValueError, match=r".") as caught:
        trial.try_in_child([tmp_path / "spiece.model"])
    assert "\n" not in str(caught.value)


def test_a_child_imports_little(folder):
    """It costs a tenth of a second, and would cost seconds with transformers or torch."""
    run = (
        "import pathlib, sys, ubg.data.text.trial as trial; trial._try([pathlib.Path(sys.argv[1])])"
    )
    found = subprocess.run(
        [sys.executable, "-c", f"{run}; print(*sys.modules)", folder / "tokenizer.json"],
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        check=True,
    )
    modules = found.stdout.split()
    assert "tokenizers" in modules
    assert not {"torch", "transformers", "numpy", "huggingface_hub"} & set(modules)


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
