"""What is written of a system: by its embeddings alone, and by both scores where it has two."""

import json
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tiny_models import tiny_scale
from tiny_trained import ToyScore, save_untrained

from ubg.calibration import read_calibration
from ubg.data.annotations.table import read_annotations
from ubg.data.images.image_pack import ImagePack
from ubg.data.images.pack import pack_images
from ubg.data.prepared import load_prepared, write_table
from ubg.evaluation.evaluate import evaluate_system
from ubg.evaluation.measure import measure_split
from ubg.evaluation.others import evaluate_on
from ubg.evaluation.queries import read_queries
from ubg.foils.cases import FOILS
from ubg.foils.making.exchanged import make_exchanged_foils
from ubg.params import load_params
from ubg.retrieval.code_score import BY_BOTH, BY_EMBEDDINGS
from ubg.runtime.files import write_json
from ubg.search.command import main as ubg_command
from ubg.search.gallery import Gallery
from ubg.search.indexing import Request, index
from ubg.search.query import Query
from ubg.search.searcher import Searcher
from ubg.systems import system_named
from ubg.trained import load_trained

SYSTEM = "phase2"
DRAWN = {"queries.csv", "best_queries.png", "worst_queries.png"}
FOILS_DRAWN = {"foils.csv", "foils_right.png", "foils_wrong.png"}
ALONE = DRAWN | FOILS_DRAWN | {"cmc.png", "cmc.json", "similarities.png"}
BOTH = ALONE | {path.replace("queries", "queries_generative") for path in DRAWN}


@pytest.fixture
def params(cuhk_root, tmp_path, monkeypatch):
    """Of a project with an untrained system, in which the test runs."""
    params = load_params()
    scale = tiny_scale()
    size = scale.image
    table = read_annotations("cuhk_pedes", cuhk_root)
    for folder in ("data", "data/others/rstpreid"):
        prepared = tmp_path / folder / "prepared"
        prepared.mkdir(parents=True)
        write_table(table, prepared / "annotations.csv")
        pack_images(table, cuhk_root / "imgs", size, tmp_path / folder / "images")
    files = ("model.safetensors", "last.safetensors")
    folder = tmp_path / "models" / SYSTEM
    save_untrained(SYSTEM, folder, scale, table["caption"].tolist(), files)
    for name in ("params.yaml", "configs"):
        (tmp_path / name).symlink_to(Path(name).resolve())
    monkeypatch.chdir(tmp_path)
    make_exchanged_foils(params.data.foils, table, FOILS)
    return params


def give_a_second_score(monkeypatch):
    score = ToyScore()
    write_json(f"models/{SYSTEM}_generator/config.json", {"what": "a second score reads"})
    declared = replace(system_named(SYSTEM), code_score=lambda trained, folder: score)
    monkeypatch.setattr(f"ubg.systems.{SYSTEM}.system.SYSTEM", declared)
    return score


def evaluate(params):
    evaluate_system(SYSTEM, params)
    folder = Path("plots") / SYSTEM / "evaluation"
    files = {path.name: path.read_bytes() for path in folder.iterdir()}
    return json.loads(Path(f"metrics/{SYSTEM}.json").read_text()), files


def test_a_second_score_adds_rows_and_files_and_changes_no_other(params, monkeypatch):
    alone, alone_files = evaluate(params)
    assert alone_files.keys() == ALONE
    for measured in (alone["test"], alone["val"], alone["last"]["test"], alone["last"]["val"]):
        assert measured.keys() == {"t2i", "i2t"}

    give_a_second_score(monkeypatch)
    both, both_files = evaluate(params)
    assert both_files.keys() == BOTH
    assert both["last"] == alone["last"]
    for split in ("test", "val"):
        assert both[split].keys() == {"t2i", "i2t", "t2i_generative", "i2t_generative"}
        assert both[split].items() >= alone[split].items()
        assert both[split]["t2i_generative"] != both[split]["t2i"]
    assert both.keys() - alone.keys() == {"foils_generative"}
    assert both["foils"] == alone["foils"]
    for name in ALONE - FOILS_DRAWN - {"cmc.png", "cmc.json"}:
        assert both_files[name] == alone_files[name]
    for name in DRAWN:
        assert both_files[name.replace("queries", "queries_generative")] != alone_files[name]

    ranks, ranks_alone = (json.loads(files["cmc.json"]) for files in (both_files, alone_files))
    assert [{name: row[name] for name in ("rank", "t2i", "i2t")} for row in ranks] == ranks_alone
    assert list(ranks[0]) == ["rank", "t2i", "i2t", "t2i_generative", "i2t_generative"]
    assert ranks[0]["i2t_generative"] == pytest.approx(
        both["test"]["i2t_generative"]["r1"], abs=1e-3
    )
    written = read_queries(Path("plots") / SYSTEM / "evaluation/queries_generative.csv")
    for metric, value in both["test"]["t2i_generative"].items():
        assert written.values(metric).mean() == pytest.approx(value, abs=1e-3)


def test_both_scores_rank_by_their_sum(params, monkeypatch):
    score = give_a_second_score(monkeypatch)
    pack, trained = ImagePack("data/images"), load_trained(f"models/{SYSTEM}")
    table = load_prepared("data/prepared")
    test = measure_split(trained, table, "test", pack, 4, score)
    sum_TI = (test.features.text_QD @ test.features.image_GD.T).numpy() + test.added_TI
    order_TI = np.argsort(-sum_TI, axis=1)
    hits_TI = test.split.image_pids[order_TI] == test.split.text_pids[:, None]
    first_T = test.ranked["_generative"].text_to_image.first_rank
    np.testing.assert_array_equal(first_T, hits_TI.argmax(axis=1) + 1)


def test_other_data_sets_are_measured_by_both_scores(params, monkeypatch, capsys):
    evaluate_on(SYSTEM, ["rstpreid"], params)
    path = Path(f"metrics/others/{SYSTEM}_rstpreid.json")
    alone = json.loads(path.read_text())["test"]
    give_a_second_score(monkeypatch)
    evaluate_on(SYSTEM, ["rstpreid"], params)
    both = json.loads(path.read_text())["test"]
    assert both.keys() == {"t2i", "i2t", "t2i_generative", "i2t_generative"}
    assert both.items() >= alone.items()
    assert capsys.readouterr().out.count("test i2t_generative: r1 ") == 1


def silence_one(path):
    """One test person's captions are gone, as if no text described them; their images stay."""
    table = load_prepared(path)
    silent = table["pid"] == table.loc[table["split"] == "test", "pid"].max()
    table.loc[silent, "caption"] = ""
    write_table(table, path / "annotations.csv")
    return int(table.loc[silent, "image_id"].nunique())


def test_person_whom_no_text_describes_is_a_distractor_and_is_counted(params, capsys):
    images = silence_one(Path("data/prepared"))
    metrics, files = evaluate(params)
    assert metrics["test"]["distractors"] == {"images": images, "identities": 1}
    assert metrics["last"]["test"]["distractors"] == metrics["test"]["distractors"]
    assert metrics["val"].keys() == {"t2i", "i2t"}
    assert f"test distractors: images {images}  identities 1\n" in capsys.readouterr().out
    assert files.keys() == ALONE

    silence_one(Path("data/others/rstpreid/prepared"))
    evaluate_on(SYSTEM, ["rstpreid"], params)
    other = json.loads(Path(f"metrics/others/{SYSTEM}_rstpreid.json").read_text())
    assert other["test"] == metrics["test"]


def test_images_dropped_as_broken_may_leave_distractors(params, cuhk_root):
    """The image that has a person's captions is broken, another of the same person is not."""
    table = load_prepared("data/prepared")
    pid = table["pid"].max()
    first, second = table.loc[table["pid"] == pid, "image_id"].unique()
    table.loc[table["image_id"] == second, "caption"] = ""
    write_table(table, Path("data/prepared/annotations.csv"))
    broken = cuhk_root / "imgs" / table.loc[table["image_id"] == first, "image_path"].iloc[0]
    broken.write_bytes(b"")
    size = tiny_scale().image.model_copy(update={"max_broken": 1})
    pack_images(table, cuhk_root / "imgs", size, Path("data/images"))
    metrics, _ = evaluate(params)
    assert metrics["test"]["distractors"] == {"images": 1, "identities": 1}


@pytest.mark.parametrize("options", [[], ["--both-scores"]])
def test_search_needs_no_command_to_calibrate_and_that_finds_the_same(
    params, monkeypatch, capsys, options
):
    def ubg(*arguments):
        capsys.readouterr()
        monkeypatch.setattr(sys, "argv", ["ubg", *arguments])
        ubg_command()
        return capsys.readouterr().out

    if options:
        give_a_second_score(monkeypatch)
    evaluate(params)
    model = f"models/{SYSTEM}"
    ubg("index", "cuhk/imgs", "--model", model, "--gallery", "gallery", *options)
    sentence = ("search", "gallery", "a man in a red coat", "--json", *options)
    found = json.loads(ubg(*sentence))
    assert found["nobody_fits"] is not None

    ubg("calibrate", "gallery", "--data", "data")
    by_evaluation = read_calibration(Path(f"{model}_calibration.json"))
    by_command = read_calibration(Path("gallery/calibration.json"))
    scores = {"cosine", "both"}
    assert by_evaluation.model_dump(exclude=scores) == by_command.model_dump(exclude=scores)
    assert by_evaluation.cosine == pytest.approx(by_command.cosine, abs=1e-6)
    assert by_evaluation.both == pytest.approx(by_command.both, abs=1e-6)
    assert len(by_evaluation.both) == (len(by_evaluation.cosine) if options else 0)
    assert json.loads(ubg(*sentence)) == found


@pytest.mark.parametrize("both_scores", [False, True])
def test_search_ranks_as_evaluation_does(params, cuhk_root, monkeypatch, both_scores):
    score = give_a_second_score(monkeypatch) if both_scores else None
    table = load_prepared("data/prepared")
    pack, trained = ImagePack("data/images"), load_trained(f"models/{SYSTEM}")
    test = measure_split(trained, table, "test", pack, 4, score)
    ranking = test.ranked[BY_BOTH if both_scores else BY_EMBEDDINGS].text_to_image

    rows = table[table["split"] == "test"]
    pids = dict(zip(rows["image_path"], rows["pid"], strict=True))
    for path in pids:
        Path("crops", path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(cuhk_root / "imgs" / path, Path("crops", path))
    index(Path("gallery"), Request([Path("crops")], Path(f"models/{SYSTEM}"), both_scores))
    searcher = Searcher(Gallery.open("gallery"), both_scores=both_scores, device="cpu")
    queries = [Query([(caption, 1.0)]) for caption in rows["caption"]]
    first = []
    for results, pid in zip(searcher.search(searcher.encode(queries)), rows["pid"], strict=True):
        found = [pids[result.entry.path] for result in results.results]
        assert len(found) == len(pids)
        first.append(1 + found.index(pid))
    assert first == ranking.first_rank.tolist()
