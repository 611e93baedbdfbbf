"""Counts are compared with every published version; what differs is told with both figures."""

import pandas as pd

from ubg.data.annotations.counts import Difference, compare, count_splits, nearest_version

NEWER = {
    "train": {"images": 100, "identities": 20, "captions": 200},
    "val": {"images": 10, "identities": 2, "captions": 20},
    "test": {"images": 10, "identities": 2, "captions": 20},
}
OLDER = {
    "train": {"images": 110, "identities": 22, "captions": 220},
    "val": {"images": 5, "identities": 1, "captions": 10},
    "test": {"images": 5, "identities": 1, "captions": 10},
}
VERSIONS = {"newer": NEWER, "older": OLDER}


def changed(version, split, **counts):
    return version | {split: version[split] | counts}


def test_version_that_fits_is_named():
    assert nearest_version(NEWER, VERSIONS) == ("newer", [])
    assert nearest_version(OLDER, VERSIONS) == ("older", [])
    assert nearest_version(NEWER, {}) is None


def test_nearest_is_the_one_with_the_fewest_differences():
    found = changed(OLDER, "train", images=101)
    assert nearest_version(found, VERSIONS) == ("older", [Difference("train", "images", 101, 110)])


def test_among_equally_many_differences_the_smaller_ones_are_nearer():
    versions = {name: {"train": {"images": n}} for name, n in {"far": 900, "near": 110}.items()}
    name, _ = nearest_version({"train": {"images": 100}}, versions)
    assert name == "near"


def test_split_that_is_missing_counts_as_none():
    found = {split: counts for split, counts in NEWER.items() if split != "val"}
    _, differing = nearest_version(found, VERSIONS)
    assert differing == [
        Difference("val", "images", 0, 10),
        Difference("val", "identities", 0, 2),
        Difference("val", "captions", 0, 20),
    ]


def test_message_is_one_line_with_both_figures():
    line = compare("cuhk_pedes", "newer", [Difference("train", "images", 34053, 34054)])
    assert "\n" not in line
    assert "train images 34,053 where 34,054 are published" in line
    assert "accept_other_counts: true in configs/datasets/cuhk_pedes.yaml" in line


def test_captions_without_an_image_and_images_without_a_caption_are_counted_once():
    table = pd.DataFrame(
        [
            ("train", 0, 0, "a"),
            ("train", 0, 0, "b"),
            ("test", 1, 1, ""),
            ("test", 1, -1, "c"),
            ("test", 2, -1, "d"),
        ],
        columns=["split", "pid", "image_id", "caption"],
    )
    assert count_splits(table) == {
        "train": {"images": 1, "identities": 1, "captions": 2},
        "test": {"images": 1, "identities": 2, "captions": 2},
    }
