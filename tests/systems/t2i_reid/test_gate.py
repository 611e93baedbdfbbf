"""The gate, and the queries that are made of what it lets through."""

import pytest
import torch
from torch.nn.functional import normalize

from ubg.runtime.checkpoint import save_weights
from ubg.systems.t2i_reid.branches import against_joined, join
from ubg.systems.t2i_reid.gate import Gate, load_gate, write_gate

SHARE = torch.tensor(0.64)


def vectors(count, seed, dim=8):
    generator = torch.Generator().manual_seed(seed)
    return normalize(torch.randn(count, dim, generator=generator), dim=1)


def drawn_gate(dim=8):
    torch.manual_seed(0)
    gate = Gate(dim)
    for weight in gate.parameters():
        torch.nn.init.normal_(weight)
    return gate.eval()


def test_a_query_is_the_same_alone_and_in_a_batch():
    gate, identity, clothing = drawn_gate(), vectors(6, 1), vectors(6, 2)
    together = against_joined(*gate(identity, clothing), SHARE)
    torch.testing.assert_close(together.norm(dim=1), torch.ones(6))
    for row in range(6):
        own = slice(row, row + 1)
        alone = against_joined(*gate(identity[own], clothing[own]), SHARE)
        torch.testing.assert_close(alone[0], together[row])


def test_weights_by_hand():
    gate = Gate(1)
    with torch.no_grad():
        gate.weights.weight.copy_(torch.tensor([[0.0, 1.0], [2.0, 0.0]]))
        gate.weights.bias.copy_(torch.tensor([0.0, -1.0]))
    identity, clothing = gate(torch.tensor([[1.0]]), torch.tensor([[-1.0]]))
    assert identity.item() == pytest.approx(0.2689, abs=1e-4)  # sigmoid of -1
    assert clothing.item() == pytest.approx(-0.7311, abs=1e-4)  # sigmoid of 2 - 1, times -1


def test_before_it_has_learnt_it_is_the_plain_sum():
    identity, clothing = vectors(5, 1), vectors(5, 2)
    gated = against_joined(*Gate(8)(identity, clothing), SHARE)
    torch.testing.assert_close(gated, against_joined(identity, clothing, SHARE))


def test_queries_ask_the_joined_vectors_for_what_was_asked_of_the_branches():
    parts = {"identity": vectors(7, 3), "clothing": vectors(7, 4)}
    identity, clothing = 0.3 * vectors(5, 1), 2 * vectors(5, 2)
    asked = identity @ parts["identity"].T + clothing @ parts["clothing"].T
    for share in (torch.tensor(0.05), SHARE):
        found = against_joined(identity, clothing, share) @ join(parts, share).T
        scale = found.norm(dim=1) / asked.norm(dim=1)
        torch.testing.assert_close(found, scale[:, None] * asked)


def test_a_sum_with_the_share_of_the_gallery_is_the_joined_vector():
    parts = {"identity": vectors(5, 1), "clothing": vectors(5, 2)}
    summed = against_joined(SHARE * parts["identity"], (1 - SHARE) * parts["clothing"], SHARE)
    torch.testing.assert_close(summed, join(parts, SHARE))


def test_it_is_kept_beside_the_model_and_read_back(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    best, models = tmp_path / "best", tmp_path / "models/t2i_reid"
    best.mkdir()
    models.mkdir(parents=True)
    assert load_gate(models, 8) is None
    gate = drawn_gate()
    save_weights(best / "gate.safetensors", gate)
    write_gate(best)
    found = load_gate("models/t2i_reid", 8)
    assert all(torch.equal(value, gate.state_dict()[n]) for n, value in found.state_dict().items())
    with pytest.raises(ValueError, match=r"gate\.safetensors: does not fit the model: .*again"):
        load_gate(models, 4)
    (models / "gate.safetensors").write_bytes(b"no weights at all")
    with pytest.raises(ValueError, match=r"gate\.safetensors: cannot be read.*again"):
        load_gate(models, 8)
