"""What stops a run before its system is built."""

from types import SimpleNamespace

import pytest
from tiny_models import tiny_scale

from ubg.data.annotations.table import read_annotations
from ubg.data.images.pack import pack_images
from ubg.data.prepared import write_table
from ubg.params import load_params
from ubg.training.run import train_system


@pytest.mark.parametrize("split", ["val", "test"])
def test_split_of_one_identity_is_refused_before_training(cuhk_root, tmp_path, monkeypatch, split):
    table = read_annotations("cuhk_pedes", cuhk_root)
    first = table.loc[table["split"] == split, "pid"].min()
    table = table[(table["split"] != split) | (table["pid"] == first)]
    (tmp_path / "data/prepared").mkdir(parents=True)
    write_table(table, tmp_path / "data/prepared/annotations.csv")
    pack_images(table, cuhk_root / "imgs", tiny_scale().image, tmp_path / "data/images")
    params = load_params()
    monkeypatch.chdir(tmp_path)
    unbuilt = SimpleNamespace(task=lambda run: pytest.fail("the system is built"))
    expected = rf"annotations\.csv: all images of the split '{split}' are of one identity"
    with pytest.raises(ValueError, match=expected):
        train_system("x", unbuilt, params)
