"""The prepared table survives the disk exactly; preparing a data set does what its preset says."""

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from miniatures import MINIATURES

from ubg.data.annotations.table import read_annotations
from ubg.data.prepared import load_prepared, write_table
from ubg.dataset_report.prepare import prepare
from ubg.params import load_params

REPOSITORY = Path(__file__).parents[3]


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
    for content in (None, "", '"split","pid"\n', '"split"\ntrain\n'):
        if content is not None:
            (tmp_path / "annotations.csv").write_text(content)
        with pytest.raises(ValueError, match=r"dvc repro prepare_annotations"):
            load_prepared(tmp_path)


@pytest.mark.parametrize("pid", ["1.5", "nan", "inf", "1e30"])
def test_numbers_are_whole(tmp_path, pid):
    write_table(table_of(["a", "b"]), tmp_path / "annotations.csv")
    header, first, second = (tmp_path / "annotations.csv").read_text().splitlines()
    place = header.split(",").index('"pid"')
    cells = second.split(",")
    cells[place] = pid
    (tmp_path / "annotations.csv").write_text("\n".join([header, first, ",".join(cells), ""]))
    with pytest.raises(ValueError, match=r"annotations\.csv: cannot be read .*dvc repro"):
        load_prepared(tmp_path)


def test_ids_that_look_like_numbers_stay_text(tmp_path):
    table = table_of(["a", "b"]).assign(raw_id=["007", "7"])
    write_table(table, tmp_path / "annotations.csv")
    assert load_prepared(tmp_path).to_dict("list") == table.to_dict("list")


@pytest.fixture
def prepared(tmp_path):
    """Prepares a miniature with changed params; gives the table, the report and the folder."""

    def run(dataset, noise=None, carve_val=None, batch_size=8, index=None, **preset):
        params = load_params(REPOSITORY)
        raw = tmp_path / "raw" / dataset
        shutil.rmtree(raw, ignore_errors=True)
        MINIATURES[dataset](raw)
        if index is not None:
            np.save(raw / "annotations/index.npy", index)
        (tmp_path / "configs").mkdir(exist_ok=True)
        shutil.copytree(REPOSITORY / "configs", tmp_path / "configs", dirs_exist_ok=True)
        text = (REPOSITORY / "params.yaml").read_text()
        text = text.replace("dataset: synthpedes", f"dataset: {dataset}")
        (tmp_path / "params.yaml").write_text(text)
        params = load_params(tmp_path)
        if carve_val and params.data.carve_val:
            carve_val = params.data.carve_val.model_copy(update=carve_val)
        data = params.data.model_copy(
            update={"accept_other_counts": True, "carve_val": carve_val, **preset}
        )
        training = params.preset.training.model_copy(update={"batch_size": batch_size})
        scale = params.preset.model_copy(update={"training": training})
        update = {"data": data, "data_root": str(tmp_path / "raw"), "preset": scale}
        if noise:
            update["noise"] = params.noise.model_copy(update=noise)
        prepare(params.model_copy(update=update), tmp_path / "prepared")
        report = json.loads((tmp_path / "prepared" / "report.json").read_text())
        return load_prepared(tmp_path / "prepared"), report, tmp_path / "prepared"

    return run


CARVED = {"icfg_pedes": {"identities": 3, "seed": 5}, "orbench": {"identities": 2, "seed": 5}}


@pytest.mark.parametrize("dataset", MINIATURES)
def test_every_miniature_is_prepared_and_reported(prepared, dataset):
    table, report, folder = prepared(dataset, carve_val=CARVED.get(dataset))
    assert list(report["splits"]) == ["train", "val", "test"]
    training = table[table["split"] == "train"]
    assert training["pid"].max() + 1 == training["pid"].nunique()
    assert (training["caption"] != "").all()
    assert (training["image_id"] >= 0).all()
    assert sorted(table["pid"].unique()) == list(range(table["pid"].nunique()))
    assert table.groupby("pid")["split"].nunique().max() == 1
    assert "caption_of" not in table
    assert (folder / "report.md").read_text().startswith("# ")
    assert (folder / "distributions.png").stat().st_size > 10_000
    assert (folder / "queries.csv").is_file() == (dataset == "orbench")


def test_carved_identities_are_named_in_the_report(prepared):
    table, report, _ = prepared("icfg_pedes", carve_val={"identities": 3, "seed": 5})
    val = table[table["split"] == "val"]
    assert report["carved_val"]["seed"] == 5
    assert sorted(val["raw_id"].unique()) == report["carved_val"]["raw_ids"]
    assert len(report["carved_val"]["raw_ids"]) == 3


def test_a_batch_that_the_data_cannot_fill_is_told_before_anything_is_made(prepared, tmp_path):
    with pytest.raises(
        ValueError, match=r"training\.batch_size: 640 is more than the [0-9]+ train"
    ):
        prepared("rstpreid", batch_size=640)
    assert not (tmp_path / "prepared").exists()


def test_noise_is_in_training_alone_and_recorded(prepared):
    clean, _, _ = prepared("rstpreid")
    noisy, report, folder = prepared("rstpreid", noise={"rate": 0.5, "seed": 3})
    training = noisy["split"] == "train"
    moved = noisy["caption_of"] != noisy["caption_id"]
    assert moved.sum() == round(0.5 * training.sum()) == report["noise"]["captions"]
    assert training[moved].all()
    assert noisy["caption"].tolist() == clean["caption"].iloc[noisy["caption_of"]].tolist()
    assert "at images of other people:" in (folder / "report.md").read_text()
    assert report["oddities"] == prepared("rstpreid")[1]["oddities"]


def test_published_noise_lies_beside_the_annotations_and_is_recorded(prepared):
    clean, _, _ = prepared("rstpreid")
    training = clean["split"] == "train"
    index = np.roll(np.arange(training.sum()), 1)
    noise = {"rate": 1.0, "index": "index.npy"}
    noisy, report, folder = prepared("rstpreid", noise=noise, index=index)
    captions = clean.loc[training, "caption"]
    assert noisy.loc[training, "caption"].tolist() == captions.iloc[index].tolist()
    pids = clean.loc[training, "pid"].to_numpy()
    assert report["noise"]["captions"] == (pids != pids[index]).sum() < len(index)
    assert "(noise.rate 1, `index.npy`)" in (folder / "report.md").read_text()


def test_queries_have_the_numbers_of_the_table(prepared):
    table, report, folder = prepared("orbench", carve_val={"identities": 2, "seed": 0})
    queries = pd.read_csv(folder / "queries.csv", keep_default_na=False)
    assert list(queries.columns) == ["kind", "pid", "raw_id", "text", "nir", "cp", "sk"]
    assert queries["kind"].value_counts().to_dict() == report["queries"]
    assert len(report["queries"]) == 32
    numbers = dict(zip(table["raw_id"], table["pid"], strict=True))
    assert queries["pid"].tolist() == [numbers[raw_id] for raw_id in queries["raw_id"]]


def test_other_counts_are_refused_with_both_figures_unless_accepted(prepared, tmp_path):
    with pytest.raises(ValueError, match=r"rstpreid: the counts fit no .* published") as raised:
        prepared("rstpreid", accept_other_counts=False)
    assert "where 37,010 are published" in str(raised.value) or "39,010" in str(raised.value)
    assert "\n" not in str(raised.value)
    assert not (tmp_path / "prepared").exists()
    _, report, folder = prepared("rstpreid")
    assert report["differences"]
    assert "**The counts are not those of the version" in (folder / "report.md").read_text()


def test_the_files_are_reported_as_they_are(prepared):
    """The CUHK-PEDES miniature holds one of everything."""
    _, report, folder = prepared("cuhk_pedes")
    odd = {oddity["name"]: sum(oddity["counts"].values()) for oddity in report["oddities"]}
    assert odd["images listed more than once"] == 1
    assert odd["identities with one image"] == 2
    assert odd["captions shared by several identities"] >= 2
    assert odd["captions with characters beyond ASCII"] == 1
    assert odd["captions with line breaks"] == 1
    assert odd["captions with characters of code or mark-up"] == 1
    assert report["captions_per_image"]["10"] == 1
    assert report["captions_per_image"]["4"] == 1
    assert "U+7EA2" in (folder / "report.md").read_text()
