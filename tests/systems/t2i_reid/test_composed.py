"""Composed queries against loops over persons and a sort, and what is told of them."""

import numpy as np
import pandas as pd
import pytest
import torch
from tiny_models import network_of
from tiny_t2i_reid import build_t2i_reid, t2i_reid_scale
from torch.nn.functional import normalize
from toy_mer import MemoryPack, WordTokenizer

from ubg.data.images.normalisation import Normalisation
from ubg.systems.contract import Trained
from ubg.systems.t2i_reid import composed
from ubg.systems.t2i_reid.branches import join, part
from ubg.systems.t2i_reid.composed import (
    ComposedQueries,
    best_share,
    composed_pairs,
    embed_queries,
    evaluate_composed,
)
from ubg.systems.t2i_reid.gate import Gate

# Person 7 in three outfits, the last without captions; person 8 in one, person 9 in two.
IMAGES = pd.DataFrame(
    {
        "image_id": [20, 21, 22, 23, 24, 25, 26, 27],
        "pid": [0, 0, 1, 1, 2, 3, 4, 5],
        "person": [7, 7, 7, 7, 7, 8, 9, 9],
        "clothing_caption": ["red", "red", "blue", "azure", "", "green", "red", "grey"],
    }
)


def test_pairs_by_hand():
    pairs = composed_pairs(IMAGES)
    found = list(zip(pairs["own"], pairs["caption"], pairs["sought"], pairs["person"], strict=True))
    assert found == [
        *[(own, caption, 1, 7) for own in (0, 1) for caption in (2, 3)],
        *[(own, 0, 0, 7) for own in (2, 3)],
        *[(4, caption, pid, 7) for caption, pid in ((0, 0), (2, 1), (3, 1))],
        (6, 7, 5, 9),
        (7, 6, 4, 9),
    ]
    assert composed_pairs(IMAGES[IMAGES["person"] == 8]).empty


def naive(queries, identity, clothing):
    """First rank and average precision of each query, by sorting scores of the branches."""
    gallery = part(queries.gallery_GE.double(), queries.share.double())
    identity_GD, clothing_GD = (gallery[name].numpy() for name in ("identity", "clothing"))
    found = []
    for query, own in enumerate(queries.own_Q):
        score = identity_GD @ identity[query].numpy() + clothing_GD @ clothing[query].numpy()
        others = [image for image in range(len(score)) if image != own]
        ranked = sorted(others, key=lambda image: (-score[image], image))
        hits = [queries.pids_G[image] == queries.sought_Q[query] for image in ranked]
        ranks = [rank for rank, hit in enumerate(hits, 1) if hit]
        found.append((ranks[0], np.mean([n / rank for n, rank in enumerate(ranks, 1)])))
    return [np.array(column) for column in zip(*found, strict=True)]


def vectors(count, seed, dim=6):
    generator = torch.Generator().manual_seed(seed)
    return normalize(torch.randn(count, dim, generator=generator), dim=1)


@pytest.fixture
def queries():
    """Persons 0 to 9 in two or three outfits, of 40 images; the queries of all of them."""
    rng = np.random.default_rng(0)
    pids, share = rng.integers(0, 25, 40), torch.tensor(0.2)
    images = pd.DataFrame({"pid": pids, "person": pids // 3})
    images["clothing_caption"] = [f"caption {row}" for row in range(40)]
    pairs = composed_pairs(images)
    gallery = {"identity": vectors(40, 1), "clothing": vectors(40, 2)}
    own = np.array(pairs["own"])
    noise = 0.5 * vectors(40, 3)[pairs["caption"].tolist()]
    return ComposedQueries(
        identity_QD=gallery["identity"][own],
        clothing_QD=normalize(gallery["clothing"][pairs["caption"].tolist()] + noise, dim=1),
        own_Q=own,
        persons_Q=pairs["person"].to_numpy(),
        sought_Q=pairs["sought"].to_numpy(),
        gallery_GE=join(gallery, share),
        pids_G=pids,
        share=share,
    )


@pytest.mark.parametrize("at_once", [4096, 7])
def test_ranks_are_those_of_a_sort_without_the_image_that_asks(queries, at_once, monkeypatch):
    monkeypatch.setattr(composed, "QUERIES_AT_ONCE", at_once)
    identity, clothing = queries.identity_QD, queries.clothing_QD
    gate = Gate(6)
    torch.nn.init.normal_(gate.weights.weight)
    with torch.no_grad():
        gated = [half.double() for half in gate(identity, clothing)]
    cases = {
        "image": (queries.summed(1), identity.double(), 0 * clothing.double()),
        "caption": (queries.summed(0), 0 * identity.double(), clothing.double()),
        "sum": (queries.summed(0.7), 0.7 * identity.double(), 0.3 * clothing.double()),
        "gated": (queries.gated(gate), *gated),
    }
    for name, (found, *asked) in cases.items():
        rank, precision = naive(queries, *asked)
        for k in (1, 5, 10):
            np.testing.assert_array_equal(found[f"r{k}"], 100 * (rank <= k), err_msg=name)
        np.testing.assert_allclose(found["map"], 100 * precision, err_msg=name)
    assert cases["image"][0]["map"].mean() != cases["gated"][0]["map"].mean()


def test_the_share_is_that_of_the_best_r1(queries):
    found = {step / 20: queries.summed(step / 20)["r1"].mean() for step in range(1, 20)}
    best = best_share(queries)
    assert found[best] == max(found.values())
    assert all(abs(best - 0.5) <= abs(s - 0.5) for s in found if found[s] == found[best])


@pytest.fixture
def trained():
    model = build_t2i_reid(t2i_reid_scale()).saved_parts()["model"].eval()
    model.normalisation = Normalisation(mean=(0.0,) * 3, std=(1.0,) * 3)
    model.branches.identity_share.fill_(0.3)
    return Trained(model, WordTokenizer(), network_of("t2i_reid", t2i_reid_scale()))


CLOTHING = pd.concat(
    [IMAGES.assign(split="test"), IMAGES.assign(split="val"), IMAGES.assign(split="train")]
).assign(image_id=lambda table: np.arange(len(table)))


def pack():
    return MemoryPack(np.arange(24), 3, seed=0, size=(64, 32))


def test_queries_are_embedded_by_their_own_image_and_caption(trained):
    queries = embed_queries(trained, CLOTHING, "val", pack(), batch_size=3)
    model, tokens = trained.model, WordTokenizer()
    pixels = torch.from_numpy(pack().pixels[8:16]).permute(0, 3, 1, 2) / 255
    pairs = composed_pairs(IMAGES)
    with torch.inference_mode():
        image = model.image_branches(pixels)
        torch.testing.assert_close(queries.gallery_GE, model.encode_image(pixels))
        torch.testing.assert_close(queries.identity_QD, image["identity"][pairs["own"].tolist()])
        for row, place in enumerate(pairs["caption"]):
            words = IMAGES["clothing_caption"][place]
            ids = torch.tensor(tokens([words])["input_ids"])
            text = {"caption_ids_bert": ids, "caption_attn_mask_bert": torch.ones_like(ids)}
            expected = model.text_branches(text)["clothing"][0]
            torch.testing.assert_close(queries.clothing_QD[row], expected)
    assert queries.pids_G.tolist() == IMAGES["pid"].tolist()
    assert queries.own_Q.tolist() == pairs["own"].tolist()


def test_every_row_is_told_and_the_sum_needs_no_gate(trained):
    plain = evaluate_composed(trained, None, CLOTHING, pack(), batch_size=4)
    assert list(plain) == ["queries", "image", "caption", "sum", "sum_tuned"]
    assert plain["queries"] == 11
    gated = evaluate_composed(trained, Gate(16), CLOTHING, pack(), batch_size=4)
    assert list(gated) == [*plain, "gated", "gated_over_sum_tuned"]
    assert gated["sum"] == plain["sum"]
    queries = embed_queries(trained, CLOTHING, "test", pack(), batch_size=4)
    found = queries.summed(0.3)
    assert plain["sum"] == {name: round(value.mean(), 3) for name, value in found.items()}
    assert gated["gated"] == {  # it has learnt nothing: the sum with equal weights
        name: round(value.mean(), 3) for name, value in queries.summed(0.5).items()
    }
    more = gated["gated_over_sum_tuned"]["map"]
    assert more == pytest.approx(gated["gated"]["map"] - gated["sum_tuned"]["map"], abs=2e-3)


def test_intervals_are_over_persons(queries):
    row = composed._row(queries.summed(0.5), np.arange(len(queries.own_Q)))
    assert row["map_low"] < row["map"] < row["map_high"]
    few = composed._row(queries.summed(0.5), queries.persons_Q)  # no interval of nine persons
    assert set(few) == {"r1", "r5", "r10", "map"}


def test_there_is_no_table_where_everybody_has_one_outfit(trained):
    alone = CLOTHING[CLOTHING["person"] == 8]
    assert evaluate_composed(trained, None, alone, pack(), batch_size=4) == {}
    on_val = pd.concat([alone[alone["split"] == "val"], CLOTHING[CLOTHING["split"] == "test"]])
    found = evaluate_composed(trained, Gate(16), on_val, pack(), batch_size=4)
    assert list(found) == ["queries", "image", "caption", "sum", "gated"]
