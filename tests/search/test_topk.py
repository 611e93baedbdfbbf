"""The blockwise top k against a sort of exact integers, and against the ranks of evaluation."""

import numpy as np
import pytest

from ubg.retrieval.ranking import bidirectional_ranks
from ubg.search import topk
from ubg.search.topk import Scored, exact_top

COUNT, DIMENSION, PLACES, CODES = 700, 24, 6, 5


@pytest.fixture(autouse=True)
def _small_blocks(monkeypatch):
    monkeypatch.setattr(topk, "BLOCK_ROWS", 64)
    monkeypatch.setattr(topk, "EXACT_ROWS", 16)


def unit(generator, rows):
    drawn = generator.standard_normal((rows, DIMENSION))
    return (drawn / np.linalg.norm(drawn, axis=1, keepdims=True)).astype(np.float32)


def draw(seed=0, queries=5):
    """Rows of which many are the same, queries, codes and evidence."""
    generator = np.random.default_rng(seed)
    vectors = unit(generator, COUNT)
    vectors[generator.integers(0, COUNT, 300)] = vectors[3]
    codes = generator.integers(0, CODES, (COUNT, PLACES)).astype(np.uint8)
    codes[vectors[:, 0] == vectors[3, 0]] = codes[3]
    evidence = generator.uniform(-0.2, 0.2, (queries, PLACES, CODES)).astype(np.float32)
    questions = unit(generator, queries)
    questions[0] = vectors[3]
    return vectors, questions, codes, evidence


def naive(vectors, question, codes, evidence, allowed, count):
    """Whole numbers of 2^-26, a stable sort."""

    def units(rows):
        rows = rows.astype(np.float64)
        return np.rint(rows / np.sqrt((rows**2).sum(-1, keepdims=True)) * 2**26).astype(np.int64)

    exact = units(vectors) @ units(question)
    if evidence is not None:
        added = np.array(
            [
                sum(evidence[place, row[place]].astype(np.float64) for place in range(PLACES))
                for row in codes
            ]
        )
        exact += np.rint(added.astype(np.float32) * 2.0**26).astype(np.int64) << 26
    order = np.argsort(-exact, kind="stable")
    order = order[allowed[order]][:count]
    return order, exact[order] / 2.0**52


@pytest.mark.parametrize("places", [PLACES - 1, PLACES + 1])
def test_codes_of_other_places_than_the_evidence_are_never_looked_up(places):
    vectors, questions, _, evidence = draw()
    rows = Scored(vectors, np.zeros((COUNT, places), np.uint8))
    with pytest.raises(AssertionError):
        exact_top(rows, questions, evidence, np.ones(COUNT, bool), 3)


@pytest.mark.parametrize("count", [1, 10])
def test_vectors_in_float16_are_searched_as_exactly(count):
    """Among rows that float16 has moved together, at lengths that it has moved from 1."""
    vectors, questions, _, _ = draw()
    generator = np.random.default_rng(2)
    near = vectors[3] + 2e-4 * generator.standard_normal((COUNT // 2, DIMENSION))
    vectors[: COUNT // 2] = near
    rounded = vectors.astype(np.float16)
    found = exact_top(Scored(rounded), questions, None, np.ones(COUNT, bool), count)
    for question, (rows, scores) in zip(questions, found, strict=True):
        everything = np.ones(COUNT, bool)
        expected, expected_scores = naive(
            rounded.astype(np.float32), question, None, None, everything, count
        )
        np.testing.assert_array_equal(rows, expected)
        np.testing.assert_array_equal(scores, expected_scores)


@pytest.mark.parametrize("both", [False, True])
@pytest.mark.parametrize("share", [1, 0.5, 0.05, 0])
@pytest.mark.parametrize("count", [1, 10, 1000])
def test_the_best_are_those_of_an_exact_stable_sort(both, share, count):
    vectors, questions, codes, evidence = draw()
    allowed = np.random.default_rng(1).random(COUNT) < share
    rows = Scored(vectors, codes if both else None)
    said = evidence if both else None
    together = exact_top(rows, questions, said, allowed, count)
    for query, (found, scores) in enumerate(together):
        own = None if said is None else said[query]
        expected, expected_scores = naive(vectors, questions[query], codes, own, allowed, count)
        np.testing.assert_array_equal(found, expected)
        np.testing.assert_array_equal(scores, expected_scores)
        alone = slice(query, query + 1)
        ((found, scores),) = exact_top(
            rows, questions[alone], None if said is None else said[alone], allowed, count
        )
        np.testing.assert_array_equal(found, expected)
        np.testing.assert_array_equal(scores, expected_scores)


@pytest.mark.parametrize("both", [False, True])
def test_the_ranks_are_those_of_evaluation(both):
    vectors, questions, codes, evidence = draw(queries=COUNT)
    added = np.empty((COUNT, COUNT), np.float32)
    for query in range(COUNT):
        said = evidence[query].astype(np.float64)
        added[query] = sum(said[place, codes[:, place]] for place in range(PLACES))
    pids = np.arange(COUNT)
    ranking, _ = bidirectional_ranks(questions, vectors, pids, pids, added if both else None)
    found = exact_top(
        Scored(vectors, codes if both else None),
        questions,
        evidence if both else None,
        np.ones(COUNT, bool),
        COUNT,
    )
    ranks = [1 + int(np.flatnonzero(rows == query)[0]) for query, (rows, _) in enumerate(found)]
    assert ranks == ranking.ranks.tolist()


def test_an_empty_gallery_has_no_best():
    none = np.empty((0, DIMENSION), np.float32)
    ((rows, scores),) = exact_top(Scored(none), draw()[1][:1], None, np.empty(0, bool), 3)
    assert (len(rows), len(scores)) == (0, 0)


def test_a_code_that_the_model_does_not_know_is_refused():
    vectors, questions, codes, evidence = draw()
    codes[5, 2] = CODES
    with pytest.raises(ValueError, match="does not know"):
        exact_top(Scored(vectors, codes), questions, evidence, np.ones(COUNT, bool), 3)
