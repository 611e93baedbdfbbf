import numpy as np
import pytest
from PIL import Image

from ubg.evaluation import similarities
from ubg.evaluation.similarities import (
    BINS,
    SimilarityCounts,
    count_similarities,
    draw_similarities,
    median,
)


@pytest.fixture
def features():
    rng = np.random.default_rng(3)
    text_pids, image_pids = rng.integers(0, 5, 37), rng.integers(0, 5, 23)
    centres = rng.normal(size=(5, 16))
    texts = centres[text_pids] + rng.normal(size=(37, 16))
    images = centres[image_pids] + rng.normal(size=(23, 16))
    return texts, images, text_pids, image_pids


@pytest.mark.parametrize("chunk_pairs", [1, 100, 10**6])
def test_counts_equal_those_of_the_whole_matrix(features, monkeypatch, chunk_pairs):
    monkeypatch.setattr(similarities, "CHUNK_PAIRS", chunk_pairs)
    texts, images, text_pids, image_pids = features
    unit = [x / np.linalg.norm(x, axis=1, keepdims=True) for x in (texts, images)]
    matrix = unit[0] @ unit[1].T
    same = text_pids[:, None] == image_pids[None]

    counts = count_similarities(*features)

    edges = np.linspace(-1, 1, BINS + 1)
    np.testing.assert_array_equal(counts.positives, np.histogram(matrix[same], edges)[0])
    np.testing.assert_array_equal(counts.negatives, np.histogram(matrix[~same], edges)[0])
    assert median(counts.positives) == pytest.approx(np.median(matrix[same]), abs=2 / BINS)


def test_similarities_of_one_and_minus_one_are_counted():
    row = np.array([[0.6, 0.8]])
    counts = count_similarities(row, np.concatenate([row, -row]), np.array([0]), np.array([0, 1]))
    assert counts.positives[-1] == 1
    assert counts.negatives[0] == 1


def test_median_by_hand():
    counts = np.zeros(BINS, np.int64)
    assert np.isnan(median(counts))
    counts[BINS // 2] = 4  # all in [0, 0.01): half of them below its middle
    assert median(counts) == pytest.approx(0.005)
    counts[0] = 4
    counts[-1] = 8
    assert median(counts) == pytest.approx(0.01)


def test_overlap_by_hand():
    positives, negatives = np.zeros((2, BINS), np.int64)
    positives[10], positives[11] = 3, 1
    negatives[11], negatives[12] = 50, 50
    assert SimilarityCounts(positives, negatives).overlap == pytest.approx(0.25)
    assert SimilarityCounts(positives, positives).overlap == pytest.approx(1)


def test_figure_is_written_the_same_twice(features, tmp_path):
    paths = [tmp_path / "a.png", tmp_path / "b.png"]
    for path in paths:
        draw_similarities(path, "phase1", "X (synthetic), test", count_similarities(*features))
    assert paths[0].read_bytes() == paths[1].read_bytes()
    with Image.open(paths[0]) as image:
        assert image.size == (990, 550)
