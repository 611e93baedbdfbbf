"""Classes of codes: k-means that no seed changes."""

import pytest
import torch

from ubg.systems.phase4.text.classes import cluster_codes

CODEBOOK = torch.randn(40, 3, generator=torch.Generator().manual_seed(0))


def test_codes_of_a_class_are_near_and_a_representative_is_of_its_class():
    groups = torch.tensor([[0.0, 0.0], [10.0, 0.0], [0.0, 10.0]]).repeat(5, 1)
    codebook = groups + 0.1 * torch.randn(15, 2, generator=torch.Generator().manual_seed(1))
    classes = cluster_codes(codebook, 3)
    group_V = torch.arange(15) % 3
    for group in range(3):
        assert len(classes.of_code_V[group_V == group].unique()) == 1
    assert classes.of_code_V[classes.representative_K].tolist() == [0, 1, 2]


def test_the_seed_of_the_run_changes_nothing_and_is_not_changed():
    torch.manual_seed(5)
    expected = cluster_codes(CODEBOOK, 7)
    after = torch.rand(1)
    torch.manual_seed(5)
    assert torch.equal(torch.rand(1), after)
    torch.manual_seed(6)
    found = cluster_codes(CODEBOOK, 7)
    assert torch.equal(found.of_code_V, expected.of_code_V)
    assert torch.equal(found.representative_K, expected.representative_K)


def test_without_clusters_every_code_is_a_class():
    classes = cluster_codes(CODEBOOK, None)
    assert classes.of_code_V.tolist() == classes.representative_K.tolist() == list(range(40))


def test_more_classes_than_codes_are_refused():
    with pytest.raises(ValueError, match="40 points cannot fill 41 clusters"):
        cluster_codes(CODEBOOK, 41)
