"""ICFG-PEDES, whichever way its file is spelled, and RSTPReid."""

import json

import pytest
from miniatures import ODD_CAPTIONS, write_icfg_pedes, write_rstpreid

from ubg.data.annotations.table import read_annotations


@pytest.mark.parametrize("name", ["ICFG-PEDES.json", "ICFG_PEDES.json", "icfg_pedes.json"])
def test_icfg_pedes_under_each_name(tmp_path, name):
    table = read_annotations("icfg_pedes", write_icfg_pedes(tmp_path, name))
    assert table.attrs["layout"] == name
    assert set(table["split"]) == {"train", "test"}
    assert sorted(table["raw_id"].unique()) == list(range(14))
    assert table["pid"].equals(table["raw_id"])
    assert (table.groupby("image_id").size() == 1).sum() == table["image_id"].nunique() - 1
    assert len(table.attrs["repeated"]) == 1
    assert set(ODD_CAPTIONS) <= set(table["caption"])
    in_other_folder = table["image_path"].str.startswith("test/") & (table["split"] == "train")
    assert in_other_folder.any()


def test_icfg_pedes_under_two_names_is_refused(tmp_path):
    root = write_icfg_pedes(tmp_path)
    folder = root / "annotations"
    (folder / "ICFG_PEDES.json").write_bytes((folder / "ICFG-PEDES.json").read_bytes())
    with pytest.raises(ValueError, match=r"ICFG-PEDES\.json and ICFG_PEDES\.json are two"):
        read_annotations("icfg_pedes", root)


def test_rstpreid(tmp_path):
    table = read_annotations("rstpreid", write_rstpreid(tmp_path))
    images = table.drop_duplicates("image_id").groupby("split")
    assert images.size().to_dict() == {"train": 30, "val": 10, "test": 15}
    assert images["pid"].nunique().to_dict() == {"train": 6, "val": 2, "test": 3}
    assert (table.groupby("image_id").size() == 2).all()
    assert table["pid"].equals(table["raw_id"])
    assert table.loc[0, "image_path"] == "0000_c1_0000.jpg"


def test_rstpreid_names_its_own_path_field(tmp_path):
    root = write_rstpreid(tmp_path)
    path = root / "annotations" / "data_captions.json"
    records = json.loads(path.read_text(encoding="utf-8"))
    records[4]["file_path"] = records[4].pop("img_path")
    path.write_text(json.dumps(records))
    with pytest.raises(ValueError, match="record 4: has no field 'img_path'; add it"):
        read_annotations("rstpreid", root)
