import numpy as np
import pytest
import torch
from toy_mer import ToyMer, queries_of, toy_gallery, toy_modalities

from ubg.systems.clip_mer.evaluation.controls import (
    another_persons,
    mean_of_singles,
    measure_controls,
)
from ubg.systems.clip_mer.evaluation.kinds import parts_of
from ubg.systems.clip_mer.evaluation.measure import rank_kinds
from ubg.systems.clip_mer.evaluation.parts import encode_parts


@pytest.fixture
def toy():
    torch.manual_seed(0)
    return ToyMer().eval()


def test_another_persons_query_is_drawn_evenly():
    pids_Q = np.array([5, 7, 5, 9, 7, 5])
    rng = np.random.default_rng(0)
    drawn_NQ = np.stack([another_persons(pids_Q, rng) for _ in range(4_000)])
    assert (pids_Q[drawn_NQ] != pids_Q).all()
    for query, pid in enumerate(pids_Q):
        others = np.flatnonzero(pids_Q != pid)
        found, counts = np.unique(drawn_NQ[:, query], return_counts=True)
        assert found.tolist() == others.tolist()
        assert np.abs(counts / 4_000 - 1 / len(others)).max() < 0.03


def test_with_one_person_there_is_nobody_to_exchange_with():
    with pytest.raises(
        ValueError, match="all 3 queries of a kind are for person 4: there is nobody"
    ):
        another_persons(np.array([4, 4, 4]), np.random.default_rng(0))


@torch.no_grad()
def test_the_mean_is_of_what_each_part_is_alone(toy):
    tokens = {"nir": torch.randn(3, 1, 6), "text": torch.randn(3, 1, 6)}
    mean_QD = mean_of_singles(toy, tokens)
    for query in range(3):
        nir, text = (toy.single(part, tokens[part][query, None])[0] for part in ("nir", "text"))
        assert torch.allclose(mean_QD[query], (nir + text) / 2, atol=1e-6)


@torch.no_grad()
def test_controls_are_as_a_naive_loop_finds_them(toy):
    modalities, gallery = toy_modalities(), toy_gallery()
    queries = queries_of(modalities)
    encoded = encode_parts(toy, queries, 8, quiet=True)
    controls = measure_controls(toy, queries, encoded, gallery, seed=3)
    assert set(controls) == {kind for kind in queries.table["kind"] if "+" in kind}

    def precision(query_D, pid):
        hits = gallery.pids[np.argsort(-(gallery.features_GD @ query_D).numpy(), kind="stable")]
        ranks = np.flatnonzero(hits == pid) + 1
        return np.mean([(place + 1) / rank for place, rank in enumerate(ranks)])

    rng = np.random.default_rng(3)
    for kind, of in controls.items():
        rows = np.flatnonzero(queries.table["kind"] == kind)
        pids = queries.pids[rows]
        for part in parts_of(kind):
            strangers = rows[another_persons(pids, rng)]
            for number, (row, stranger) in enumerate(zip(rows, strangers, strict=True)):
                tokens = {name: encoded.of(name, np.array([row])) for name in parts_of(kind)}
                changed = {**tokens, part: encoded.of(part, np.array([stranger]))}
                found = precision(toy.fuse(changed)[0], pids[number])
                assert of.exchanged[part][number] == pytest.approx(found)
                del tokens[part]
                found = precision(toy.fuse(tokens)[0], pids[number])
                assert of.left_out[part][number] == pytest.approx(found)


def test_what_is_left_of_two_parts_is_the_other_alone(toy):
    """The same queries by one part: an average precision that `rank_kinds` can find too."""
    modalities = toy_modalities()
    table = modalities.queries
    table.loc[table["kind"] == "NIR", "nir"] = table.loc[table["kind"] == "NIR+SK", "nir"].tolist()
    queries, gallery = queries_of(modalities), toy_gallery()
    encoded = encode_parts(toy, queries, 8, quiet=True)
    controls = measure_controls(toy, queries, encoded, gallery, seed=0)
    alone = rank_kinds(toy, queries, encoded, gallery).rankings["NIR"].average_precision
    assert np.array_equal(controls["NIR+SK"].left_out["sk"], alone)
