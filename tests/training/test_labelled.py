"""Fewer labels: whose captions training sees, and what is refused."""

from itertools import pairwise
from types import SimpleNamespace

import pandas as pd
import pytest
import sections
from tiny_models import tiny_scale

from ubg.data.annotations.table import read_annotations
from ubg.data.images.pack import pack_images
from ubg.data.prepared import write_table
from ubg.params import load_params
from ubg.training.labelled import with_labels
from ubg.training.run import train_system

TABLE = pd.DataFrame(
    [
        (split, pid, 10 * pid + image)
        for split, pids in (
            ("train", range(3, 15)),
            ("val", range(15, 18)),
            ("test", range(18, 20)),
        )
        for pid in pids
        for image in range(2)
    ],
    columns=["split", "pid", "image_id"],
)


def people(table, split="train"):
    return set(table.loc[table["split"] == split, "pid"])


def test_null_is_the_table_itself():
    assert with_labels(TABLE, None) is TABLE


@pytest.mark.parametrize("count", range(1, 13))
def test_so_many_identities_are_left_with_all_their_rows(count):
    found = with_labels(TABLE, count)
    kept = people(found)
    assert len(kept) == count
    expected = [row for row in TABLE.itertuples() if row.split != "train" or row.pid in kept]
    assert list(found.itertuples()) == expected


def test_fewer_are_contained_in_more_and_not_the_first_ones():
    sets = [people(with_labels(TABLE, count)) for count in range(1, 13)]
    assert all(few < more for few, more in pairwise(sets))
    assert sets[5] != set(range(3, 9))


def test_more_than_there_are_is_one_line():
    with pytest.raises(ValueError, match=r"^labelled_identities: 13 is more than the 12 identit"):
        with_labels(TABLE, 13)


def test_training_sees_these_alone_and_a_batch_too_large_for_them_is_refused(
    cuhk_root, tmp_path, monkeypatch
):
    table = read_annotations("cuhk_pedes", cuhk_root)
    (tmp_path / "data/prepared").mkdir(parents=True)
    write_table(table, tmp_path / "data/prepared/annotations.csv")
    pack_images(table, cuhk_root / "imgs", tiny_scale().image, tmp_path / "data/images")
    params = load_params()
    training = sections.training(epochs=1, batch_size=16, precision="fp32")
    preset = params.preset.model_copy(update={"training": training})
    params = params.model_copy(update={"labelled_identities": 3, "preset": preset})
    monkeypatch.chdir(tmp_path)
    seen = []

    def task(run):
        seen.append(run)
        return SimpleNamespace(model=SimpleNamespace(normalisation=None), training=None, inputs=())

    with pytest.raises(ValueError, match=r"^training\.batch_size: 16 is more than the 12 training"):
        train_system("x", SimpleNamespace(task=task), params)
    assert people(seen[0].table) == people(with_labels(table, 3))
    assert seen[0].training_rows["pid"].nunique() == 3
    assert people(seen[0].table, "val") == people(table, "val")
