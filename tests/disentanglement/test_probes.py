"""Probes on embeddings of which it is known what they hold, and balanced accuracy by hand."""

import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score

from ubg.disentanglement import balanced_accuracy as accuracy
from ubg.disentanglement.people import UNKNOWN
from ubg.disentanglement.probes import PROBES, Judged, Labelled, judge
from ubg.retrieval.bootstrap import TOO_FEW

COLOURS = np.array(["red", "green", "blue"])


def labelled(seed, count=240, shares=(0.6, 0.3, 0.1), spread=0.3):
    """Colours as corners of a triangle, with noise, beside dimensions of noise."""
    rng = np.random.default_rng(seed)
    colour = rng.choice(3, count, p=shares)
    corners = np.eye(3)[colour] + spread * rng.normal(size=(count, 3))
    features = np.concatenate([corners, rng.normal(size=(count, 6))], axis=1)
    return Labelled(features, COLOURS[colour], np.arange(count) // 2)


def balanced(judged):
    return accuracy.balanced_accuracy([judged])


@pytest.mark.parametrize("probe", PROBES)
def test_what_is_there_is_read_and_what_is_not_is_not(probe):
    val, test = labelled(0), labelled(1)
    assert balanced(judge(probe, val, test)) > 85
    blind = Labelled(val.feature_ND[:, 3:], val.label_N, val.person_N)
    blind_test = Labelled(test.feature_ND[:, 3:], test.label_N, test.person_N)
    assert balanced(judge(probe, blind, blind_test)) == pytest.approx(100 / 3, abs=8)


def test_only_the_network_reads_a_sign_that_two_dimensions_share():
    """The product of two signs: each dimension alone, and each sum of them, tells nothing."""
    rng = np.random.default_rng(0)
    features = rng.choice([-1.0, 1.0], size=(400, 2)) + 0.1 * rng.normal(size=(400, 2))
    labels = np.where(features.prod(axis=1) > 0, "same", "other")
    val, test = (
        Labelled(features[half], labels[half], np.arange(200))
        for half in (slice(200), slice(200, 400))
    )
    assert balanced(judge("linear", val, test)) < 65
    assert balanced(judge("mlp", val, test)) > 95


def test_images_that_show_nothing_and_rare_classes_are_left_out():
    val, test = labelled(0), labelled(1)
    val.label_N[:100] = UNKNOWN
    rare = np.flatnonzero(val.label_N == "blue")
    val.label_N[rare] = UNKNOWN
    val.label_N[[110, 111, 120, 121]] = "blue"  # of two persons
    judged = judge("linear", val, test)
    assert len(judged.class_M) == (test.label_N != "blue").sum()
    assert judged.fitted == np.isin(val.label_N, ["red", "green"]).sum()
    val.label_N[val.label_N == "green"] = UNKNOWN
    assert judge("linear", val, test) is None


def judged_at_random(seed, images=300, classes=4, persons=60):
    rng = np.random.default_rng(seed)
    class_M = np.concatenate([np.arange(classes), rng.integers(0, classes, images - classes)])
    right_M = rng.random(images) < 0.2 + 0.15 * class_M
    return Judged(class_M, right_M, rng.permutation(images) % persons, 0)


def test_by_hand():
    """Right twice of four and once of one; for the other attribute once of two and never."""
    first = Judged(np.array([0, 0, 0, 0, 1]), np.array([1, 1, 0, 0, 1], bool), np.arange(5), 9)
    second = Judged(np.array([0, 0, 1]), np.array([1, 0, 0], bool), np.arange(3), 9)
    assert accuracy.balanced_accuracy([first]) == 75
    assert accuracy.balanced_accuracy([first, second]) == 50
    assert accuracy.chance([first, second]) == 50
    found = accuracy.interval([first, second])
    assert (found.mean, found.ends, found.missing) == (50, None, TOO_FEW)


def test_it_is_that_of_scikit_learn():
    judged = judged_at_random(0)
    said = np.where(judged.right_M, judged.class_M, (judged.class_M + 1) % 4)
    expected = 100 * balanced_accuracy_score(judged.class_M, said)
    assert accuracy.balanced_accuracy([judged]) == pytest.approx(expected)


def resampled(judged, drawn):
    """The attributes of persons drawn, each as often as drawn, image by image."""
    values = []
    for one in judged:
        rows = np.concatenate([np.flatnonzero(one.person_M == person) for person in drawn])
        classes = np.unique(one.class_M[rows])
        values.append(np.mean([one.right_M[rows][one.class_M[rows] == c].mean() for c in classes]))
    return 100 * np.mean(values)


def test_intervals_are_those_of_persons_drawn_one_by_one():
    judged, other = [judged_at_random(1), judged_at_random(2)], [judged_at_random(3)]
    rng = np.random.default_rng(7)
    draws = [rng.integers(0, 60, 60) for _ in range(1500)]
    own = np.array([resampled(judged, drawn) for drawn in draws])
    less = own - [resampled(other, drawn) for drawn in draws]
    found = accuracy.interval(judged)
    assert found.ends == pytest.approx(np.quantile(own, (0.025, 0.975)), abs=0.7)
    found = accuracy.difference(judged, other)
    assert found.ends == pytest.approx(np.quantile(less, (0.025, 0.975)), abs=0.9)
    expected = accuracy.balanced_accuracy(judged) - accuracy.balanced_accuracy(other)
    assert found.mean == pytest.approx(expected)


def test_a_difference_is_taken_on_the_same_persons():
    judged = judged_at_random(1)
    assert accuracy.difference([judged], [judged]).mean == 0
    assert accuracy.difference([judged], [judged]).ends is None  # none would have a width
