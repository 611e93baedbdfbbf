"""A data set that is only tested on needs its test split alone."""

from pathlib import Path

import pytest
from miniatures import write_custom

from ubg.data.images.image_pack import ImagePack
from ubg.data.prepared import load_prepared
from ubg.dataset_report.prepare_other import prepare_other
from ubg.params import load_other
from ubg.params.dataset import CarveVal

ROOT = Path(__file__).parents[2]


@pytest.fixture
def other(tmp_path, monkeypatch):
    """The params of a miniature, and its table to be changed."""
    path = write_custom(tmp_path / "raw/custom", "annotations.jsonl")
    monkeypatch.chdir(tmp_path)
    params = load_other("custom", ROOT).model_copy(update={"data_root": str(tmp_path / "raw")})
    return params, path / "annotations/annotations.jsonl"


def keep(path, wanted):
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    path.write_text("".join(line for line in lines if wanted(line)), encoding="utf-8")


def test_a_data_set_may_have_a_test_split_alone(other):
    params, path = other
    keep(path, lambda line: '"split": "test"' in line)
    prepare_other(params)
    table = load_prepared("data/others/custom/prepared")
    assert set(table["split"]) == {"test"}
    assert ImagePack("data/others/custom/images").image_ids.tolist() == list(range(6))


def test_only_images_of_the_test_split_are_packed(other):
    params, _ = other
    prepare_other(params)
    table = load_prepared("data/others/custom/prepared")
    assert set(table["split"]) == {"train", "val", "test"}
    tested = table.loc[table["split"] == "test", "image_id"].unique()
    assert ImagePack("data/others/custom/images").image_ids.tolist() == tested.tolist()


def test_no_validation_split_is_carved_that_nobody_uses(other):
    params, path = other
    keep(path, lambda line: '"split": "test"' in line)
    carve_val = CarveVal(identities=100, seed=0)
    data = params.data.model_copy(update={"carve_val": carve_val})
    prepare_other(params.model_copy(update={"data": data}))
    assert set(load_prepared("data/others/custom/prepared")["split"]) == {"test"}


def test_a_data_set_without_a_test_split_is_refused(other):
    params, path = other
    keep(path, lambda line: '"split": "test"' not in line)
    with pytest.raises(ValueError, match="custom: no caption is of the split 'test'"):
        prepare_other(params)
    assert not Path("data/others/custom/images").exists()
