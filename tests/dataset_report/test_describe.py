"""The text of the report: what stands out is said, what is not odd is not."""

import numpy as np
import pandas as pd

from ubg.dataset_report.describe import describe, markdown

READ = {"layout": "reid_raw.json", "records": 4, "repeated": [], "notes": []}
CHANGES = {"version": None, "differences": [], "carved_val": None, "noise": None, "queries": {}}


def table_of(captions=("a man", "a woman", "a boy", "a girl"), **columns):
    table = pd.DataFrame(
        {
            "split": ["train"] * 2 + ["test"] * 2,
            "pid": [0, 0, 1, 1],
            "raw_id": [3, 3, 7, 7],
            "image_id": range(4),
            "image_path": [f"{i}.png" for i in range(4)],
            "caption_id": range(4),
            "caption": captions,
        }
    )
    return table.assign(**columns)


def report_of(table, read=READ, tokens=(4, 4, 4, 4), **changes):
    description, _ = describe(table, read, np.array(tokens), 77)
    return description | CHANGES | changes


def text_of(*arguments, **keywords):
    return markdown("X", report_of(*arguments, **keywords), "figure.png")


def test_nothing_odd_says_so():
    text = text_of(table_of())
    assert "Nothing stands out." in text
    assert "Looked for and not found: captions with white space at an edge, " in text
    assert "| what |" not in text
    assert "| train | 2 | 1 | 2 | 3 to 3, all used |" in text
    assert "No published counts are known" in text
    assert "## Characters" not in text
    assert "## What the reader says" not in text
    assert "\n\n\n" not in text
    assert "![the distributions](figure.png)" in text


def test_what_stands_out_is_said():
    table = table_of(["A man", "a long one", "a man ", "same"])
    table.loc[1, "pid"], table.loc[1, "raw_id"] = 2, 5
    text = text_of(table, tokens=(4, 80, 4, 4))
    assert "Captions longer than the 77 tokens" in text
    assert ": 1 (25 %)." in text
    assert "Training captions that are written for several identities: 1." in text
    assert "Test captions that are also written in another split: 1." in text
    assert "Training identities with one image: 2." in text
    assert "| train | 2 | 2 | 2 | 3 to 5, 1 unused |" in text


def test_people_whom_no_caption_describes_are_counted():
    table = table_of(["a man", "a boy", "", ""])
    text = text_of(table, tokens=(4, 4))
    assert "Test identities that no caption describes: 1. Their images are distractors" in text
    assert "| identities without a caption | 0 | 1 | `identity 7` |" in text


def test_accepted_counts_show_both_figures():
    difference = {"split": "train", "what": "images", "found": 2, "published": 3}
    text = text_of(table_of(), version="v1", differences=[difference])
    assert "**The counts are not those of the version 'v1'**, and accepted:" in text
    assert "- train images 2 where 3 are published" in text
    assert "The counts are those of the version 'v1'." in text_of(table_of(), version="v1")


def test_carved_split_and_noise_are_said():
    carved = {"identities": 2, "seed": 9, "raw_ids": [1, 2]}
    noise = {"rate": 0.2, "seed": 5, "index": None, "captions": 12}
    text = text_of(table_of(), carved_val=carved, noise=noise)
    assert "were set apart for it: 2, seed 9" in text
    assert "**Training captions at images of other people: 12** (noise.rate 0.2, seed 5)." in text
    text = text_of(table_of(), noise=noise | {"index": "x_0.2.npy"})
    assert "(noise.rate 0.2, `x_0.2.npy`)." in text


def test_cells_hold_whatever_the_captions_hold():
    text = text_of(table_of(["a | b", "`<script>` \n", "红\u202e", "ok"]))
    (line,) = (line for line in text.splitlines() if "of code or mark-up" in line)
    assert "a \\| b" in line
    (line,) = (line for line in text.splitlines() if "at an edge" in line)
    assert "`caption 1: \"'<script>' \\\\n\"`" in line or "'<script>'" in line
    assert "\u202e" not in text
    assert "| U+202E RIGHT-TO-LEFT OVERRIDE | 1 |" in text


def test_optional_columns_and_notes_are_told():
    table = table_of(modality=["vis", "vis", "nir", ""], clothing_caption=["coat", "", "", ""])
    text = text_of(table, READ | {"notes": [f"note {i}" for i in range(60)]})
    assert "Images by modality: vis 2, nir 1." in text
    assert "Rows without clothing caption: 3 of 4." in text
    assert "## What the reader says (60)" in text
    assert "- 10 others, in `report.json`" in text


def test_ids_that_are_names():
    text = text_of(table_of(raw_id=["b", "a", "x|y", "z"]))
    assert "`'a' to 'b'`" in text
    assert "x\\|y" in text
