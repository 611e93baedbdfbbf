"""The prepared table survives the disk exactly; the report counts what is there."""

import json

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ubg.data.annotations import read_annotations
from ubg.data.prepare import describe, load_prepared, write_table


def table_of(captions):
    count = len(captions)
    return pd.DataFrame(
        {
            "split": ["train"] * count,
            "pid": range(count),
            "raw_id": range(count),
            "image_id": range(count),
            "image_path": [f"{i}.png" for i in range(count)],
            "caption_id": range(count),
            "caption": captions,
        }
    )


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.text(st.characters(exclude_categories=[])), min_size=1, max_size=5))
def test_captions_survive_exactly(tmp_path, captions):
    write_table(table_of(captions), tmp_path / "annotations.csv")
    assert load_prepared(tmp_path)["caption"].tolist() == captions


@pytest.mark.parametrize("caption", ["NA", "null", "", "1", "a\r\nb", 'say "hi"', "\0", "\ud800"])
def test_captions_that_other_readers_change(tmp_path, caption):
    write_table(table_of([caption]), tmp_path / "annotations.csv")
    assert load_prepared(tmp_path)["caption"].tolist() == [caption]


def test_table_of_the_miniature_survives_with_its_types(cuhk_root, tmp_path):
    table = read_annotations("cuhk_pedes", cuhk_root)
    write_table(table, tmp_path / "annotations.csv")
    again = load_prepared(tmp_path)
    assert again.to_dict("list") == table.to_dict("list")
    assert str(again["pid"].dtype) == "int64"


def test_missing_table_says_how_to_make_it(tmp_path):
    with pytest.raises(ValueError, match=r"dvc repro prepare_annotations"):
        load_prepared(tmp_path)


def test_report_counts_what_is_odd(cuhk_root):
    records = json.loads((cuhk_root / "reid_raw.json").read_text())
    records[0]["captions"] = [" edge", "line\nbreak", "红", "bell\x07", "same"]
    records[2]["captions"] = ["same", "same"]
    records[3] = dict(records[2], captions=["again"])
    (cuhk_root / "reid_raw.json").write_text(json.dumps(records))
    report = describe(read_annotations("cuhk_pedes", cuhk_root))
    assert report["splits"]["train"] == {"images": 15, "identities": 8, "captions": 34}
    assert report["captions_per_image"] == {"2": 27, "3": 1, "5": 1}
    assert report["images_per_identity"] == {"1": 1, "2": 14}
    assert report["oddities"] == {
        "records of an image that was listed before": 1,
        "identities with one image": 1,
        "captions written more than once": 1,
        "captions shared by several identities": 1,
        "captions with white space at an edge": 1,
        "captions with line breaks": 1,
        "captions with control characters": 1,
        "captions with characters beyond ASCII": 1,
    }
