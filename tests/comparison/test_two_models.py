"""Two models rank together as the sum of their similarities does."""

from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_held_out import WordTokenizer, held_out_table
from tiny_models import build_model, tiny_scale
from tiny_trained import save_trained

import ubg
from ubg.comparison import two_models
from ubg.comparison.experiments import Experiment
from ubg.comparison.study import group_experiments
from ubg.data.annotations.table import read_annotations
from ubg.data.images.pack import pack_images
from ubg.data.prepared import write_table
from ubg.data.text.unigram import fit_tokenizer
from ubg.params import load_params
from ubg.retrieval.encode import Features, make_split

PARAMS = load_params()


def unit(*shape):
    rows = torch.randn(*shape, generator=torch.Generator().manual_seed(sum(shape)))
    return torch.nn.functional.normalize(rows, dim=1)


def test_ranks_are_those_of_the_sum_of_cosines():
    split = make_split(held_out_table(), "val", WordTokenizer(), 9)
    models = [Features(unit(14, width), unit(7, width)) for width in (8, 5)]
    found = two_models.add_cosines(split, models)
    similarity_QG = sum(model.text_QD.double() @ model.image_GD.double().T for model in models)
    relevant_QG = split.text_pids[:, None] == split.image_pids
    for query, similarity_G in enumerate(similarity_QG.numpy()):
        ranked = relevant_QG[query][np.argsort(-similarity_G)]
        ranks = np.flatnonzero(ranked) + 1
        assert found.first_rank[query] == ranks[0]
        precision = np.arange(1, len(ranks) + 1) / ranks
        assert found.average_precision[query] == pytest.approx(precision.mean())
        assert found.inp[query] == pytest.approx(len(ranks) / ranks[-1])
    assert np.array_equal(found.pids, split.text_pids)


def run_of(seed, **params):
    values = {"dataset": "drawn", "scale": "tiny", **params}
    return Experiment(f"{seed} {params}", "Drawn", seed, values, {}, {"phase3": None})


@pytest.fixture
def workspace(cuhk_root, tmp_path, monkeypatch):
    """Prepared data, a model for each of three seeds, and the folders that were asked for."""
    scale = tiny_scale(neck="batch_norm")
    monkeypatch.chdir(tmp_path)
    table = read_annotations("cuhk_pedes", cuhk_root)
    Path("data/prepared").mkdir(parents=True)
    write_table(table, Path("data/prepared/annotations.csv"))
    pack_images(table, cuhk_root / "imgs", scale.image, Path("data/images"))
    for seed in (1, 2, 3):
        folder = Path(f"trained/{seed}")
        tokenizer = fit_tokenizer(table["caption"].tolist(), 64, folder / "tokenizer")
        torch.manual_seed(seed)
        model = build_model("phase3", scale, len(tokenizer))
        save_trained(folder, "phase3", scale, model, tokenizer)
    encoded, encode = [], two_models.encode_split
    monkeypatch.setattr(
        two_models, "fetch_model", lambda name, system, folder: Path("trained", name.split()[0])
    )
    monkeypatch.setattr(
        two_models, "encode_split", lambda *args: encoded.append(args) or encode(*args)
    )
    return table[table["split"] == "test"], cuhk_root / "imgs", encoded


def test_each_run_is_joined_by_the_model_of_the_next_seed(workspace):
    test, images, encoded = workspace
    runs = [run_of(seed, gen_weight=weight) for weight in (0.0, 30.0) for seed in (3, 1, 2)]
    groups = two_models.with_two_models(group_experiments(runs), "phase3", PARAMS)
    assert len(encoded) == 3  # both groups have the same models
    assert [group.rows for group in groups] == 2 * [["phase3", "phase3, two models"]]

    gallery = test.drop_duplicates("image_id")
    paths = [images / path for path in gallery["image_path"]]
    similarity_of = {}
    for seed in (1, 2, 3):
        model = ubg.load(f"trained/{seed}", device="cpu")
        text_QD, image_GD = model.encode_text(test["caption"].tolist()), model.encode_image(paths)
        similarity_of[seed] = (text_QD @ image_GD.T).numpy()
    relevant_QG = test["pid"].to_numpy()[:, None] == gallery["pid"].to_numpy()
    for seed, other in ((1, 2), (2, 3), (3, 1)):
        order_QG = np.argsort(-(similarity_of[seed] + similarity_of[other]), axis=1)
        expected = np.take_along_axis(relevant_QG, order_QG, axis=1).argmax(axis=1) + 1
        for group in groups:
            found = group.runs[seed].queries["phase3, two models"]
            assert found.first_rank.tolist() == expected.tolist()
            assert found.ids[:, 0].tolist() == test["caption_id"].tolist()


def test_one_seed_is_refused(workspace):
    groups = group_experiments([run_of(1)])
    with pytest.raises(ValueError, match="two models of phase3 need runs of two seeds"):
        two_models.with_two_models(groups, "phase3", PARAMS)
