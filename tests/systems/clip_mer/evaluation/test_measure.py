import numpy as np
import pytest
import torch
from toy_mer import CHANNELS, ToyMer, queries_of, toy_gallery, toy_modalities

from ubg.data.query_kinds import KINDS
from ubg.data.text.captions import CLIP_FIELDS
from ubg.systems.clip_mer.evaluation.kinds import parts_of
from ubg.systems.clip_mer.evaluation.measure import Gallery, measure_kinds
from ubg.systems.clip_mer.evaluation.parts import encode_parts


@pytest.fixture
def toy():
    torch.manual_seed(0)
    return ToyMer().eval()


def embedding_of(model, modalities, row):
    """One query alone, each part read and encoded for it."""
    tokens = {}
    for part in parts_of(row["kind"]):
        if part == "text":
            ids = torch.tensor([[*(2 + len(word) for word in row["caption"].split()), 1]])
            inputs = dict(zip(CLIP_FIELDS, (ids, torch.ones_like(ids)), strict=True))
        else:
            pack = modalities.packs[part]
            pixels = pack.pixels[list(pack.image_ids).index(row[part])]
            inputs = {"images": (torch.tensor(pixels).permute(2, 0, 1)[None] / 255 - 0.5) / 0.25}
        tokens[part] = model.part_tokens(part, inputs)
    return model.fuse(tokens)[0]


def naive_metrics(similarity_QG, query_pids, gallery_pids):
    """By sorting: R@1, R@5, R@10, mAP and mINP in percent."""
    sums = np.zeros(5)
    for similarity_G, pid in zip(similarity_QG, query_pids, strict=True):
        hits = gallery_pids[np.argsort(-similarity_G, kind="stable")] == pid
        ranks = np.flatnonzero(hits) + 1
        within = [float(ranks[0] <= k) for k in (1, 5, 10)]
        precision = np.mean([(place + 1) / rank for place, rank in enumerate(ranks)])
        sums += [*within, precision, len(ranks) / ranks[-1]]
    return dict(zip(("r1", "r5", "r10", "map", "minp"), 100 * sums / len(query_pids), strict=True))


@torch.no_grad()
def test_every_kind_is_as_a_naive_loop_finds_it(toy):
    modalities, gallery = toy_modalities(), toy_gallery()
    measured = measure_kinds(toy, queries_of(modalities), gallery, batch_size=3)
    metrics = measured.metrics()
    assert set(metrics) == set(KINDS)
    for kind, found in metrics.items():
        rows = modalities.queries[modalities.queries["kind"] == kind]
        query_QD = torch.stack([embedding_of(toy, modalities, row) for _, row in rows.iterrows()])
        similarity_QG = (query_QD @ gallery.features_GD.T).numpy()
        naive = naive_metrics(similarity_QG, rows["pid"].to_numpy(), gallery.pids)
        assert found == pytest.approx(naive), kind
    assert len({round(values["map"], 6) for values in metrics.values()}) > 20
    two = [metrics[kind]["minp"] for kind in KINDS if kind.count("+") == 1]
    assert measured.averages()["two"]["minp"] == pytest.approx(np.mean(two))
    means = [
        np.mean([metrics[kind]["map"] for kind in KINDS if kind.count("+") == plus])
        for plus in range(4)
    ]
    assert measured.score == pytest.approx(np.mean(means))


def test_each_caption_and_each_image_is_encoded_once(toy):
    modalities = toy_modalities()
    queries = queries_of(modalities)
    encode_parts(toy, queries, batch_size=5, quiet=True)
    table = modalities.queries
    expected = {part: table.loc[table[part] >= 0, part].nunique() for part in CHANNELS}
    expected["text"] = table.loc[table["caption"] != "", "caption"].nunique()
    assert toy.encoded == expected
    assert sum(expected.values()) < len(table) / 2


def test_the_size_of_batches_does_not_matter(toy):
    queries, gallery = queries_of(toy_modalities()), toy_gallery()
    one, many = (measure_kinds(toy, queries, gallery, batch_size=size) for size in (1, 64))
    assert one.metrics() == many.metrics()


def test_a_split_without_queries_of_a_kind_is_refused():
    modalities = toy_modalities()
    modalities.queries = modalities.queries[modalities.queries["kind"] != "SK+TEXT"]
    with pytest.raises(
        ValueError, match=r"queries\.csv, split 'test': has no queries of SK\+TEXT;"
    ):
        queries_of(modalities)


def test_a_query_for_nobody_in_the_gallery_is_refused(toy):
    gallery = toy_gallery()
    gone = Gallery(gallery.features_GD, gallery.pids + 1)
    with pytest.raises(ValueError, match="query"):
        measure_kinds(toy, queries_of(toy_modalities()), gone, batch_size=8)
