"""Queries that wait together are encoded together, and hold nothing else up."""

import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import httpx2
import numpy as np
import pytest
from tiny_gallery import draw_folder
from tiny_models import tiny_scale
from tiny_trained import save_small_phase4
from toy_search import library_of, running, toy_gallery

from ubg.search.gallery import Gallery
from ubg.search.indexing import Request, index
from ubg.search.query import Query
from ubg.search.searcher import Page, Searcher
from ubg.search.serving.batching import MAX_BATCH, MAX_WAITING, Batcher, Busy
from ubg.search.serving.library import Library


class Encoder:
    """Doubles numbers; waits at `gate`; cannot do 13."""

    def __init__(self):
        self.batches, self.gate, self.begun = [], threading.Event(), threading.Event()

    def __call__(self, items):
        self.batches.append(list(items))
        self.begun.set()
        assert self.gate.wait(20)
        if 13 in items:
            raise ValueError("no 13")
        return [2 * item for item in items]


async def gathered(encoder, items):
    """All items asked for at once, while the encoder has been at work on -1 already."""
    batcher = Batcher(encoder)
    first = asyncio.create_task(batcher.encode(-1))
    await asyncio.to_thread(encoder.begun.wait, 20)
    tasks = [asyncio.create_task(batcher.encode(item)) for item in items]
    await asyncio.sleep(0)
    encoder.gate.set()
    return await asyncio.gather(first, *tasks, return_exceptions=True)


def test_what_waits_is_encoded_together():
    encoder = Encoder()
    results = asyncio.run(gathered(encoder, range(5)))
    assert results == [-2, 0, 2, 4, 6, 8]
    assert encoder.batches == [[-1], [0, 1, 2, 3, 4]]


def test_batches_have_a_limit():
    encoder = Encoder()
    asyncio.run(gathered(encoder, range(100, 100 + MAX_BATCH + 3)))
    assert [len(batch) for batch in encoder.batches] == [1, MAX_BATCH, 3]


def test_one_bad_item_does_not_spoil_those_that_came_with_it():
    results = asyncio.run(gathered(Encoder(), [1, 13, 2]))
    assert [results[1], results[3]] == [2, 4]
    assert isinstance(results[2], ValueError)


def test_too_many_are_refused_at_once():
    results = asyncio.run(gathered(Encoder(), range(100, 100 + MAX_WAITING + 2)))
    assert [isinstance(result, Busy) for result in results].count(True) == 2


def test_a_request_that_was_given_up_is_left_out():
    async def given_up():
        encoder = Encoder()
        batcher = Batcher(encoder)
        tasks = [asyncio.create_task(batcher.encode(item)) for item in (1, 2)]
        await asyncio.to_thread(encoder.begun.wait, 20)
        tasks[0].cancel()
        encoder.gate.set()
        return await asyncio.gather(*tasks, return_exceptions=True)

    results = asyncio.run(given_up())
    assert isinstance(results[0], asyncio.CancelledError)
    assert results[1] == 4


@pytest.fixture
def served(tmp_path, monkeypatch):
    model = toy_gallery(tmp_path, monkeypatch)
    with running(library_of(tmp_path)) as (host, port):
        yield model, f"http://{host}:{port}"


def ask(base, text):
    response = httpx2.post(f"{base}/api/search", json={"text": text, "top": 20}, timeout=60)
    assert response.status_code == 200, response.text
    return [(match["image"]["id"], match["score"]) for match in response.json()["matches"]]


def test_thumbnails_come_while_a_query_is_encoded(served):
    model, base = served
    ids = [number for number, _ in ask(base, "red")]
    model.gate.clear()
    with ThreadPoolExecutor(9) as pool:
        waiting = [pool.submit(ask, base, f"red {number}") for number in range(9)]
        until = time.monotonic() + 20
        while len(model.batches) < 2 and time.monotonic() < until:
            time.sleep(0.01)
        for number in ids:
            response = httpx2.get(f"{base}/api/images/{number}/thumbnail", timeout=20)
            assert response.status_code == 200
        assert not any(future.done() for future in waiting)
        model.gate.set()
        assert all(future.result() for future in waiting)
    assert len(model.batches) < 10, "those that waited were encoded together"


def test_200_requests_by_16_clients_are_answered_as_one_by_one(served):
    model, base = served
    colours = ("red", "green", "blue", "yellow", "violet")
    sentences = [
        f"{colours[number % 5]} and {colours[number // 5 % 5]} {number}" for number in range(200)
    ]
    with ThreadPoolExecutor(16) as pool:
        together = list(pool.map(lambda sentence: ask(base, sentence), sentences))
    assert sum(model.batches) == 200
    assert len(model.batches) < 200, "some came together"
    # Asked again in other words, so that nothing is remembered.
    assert together == [ask(base, f"a {sentence}") for sentence in sentences]


WORDS = ("a man", "a woman", "red", "blue", "green", "coat", "dress", "cap", "jeans", "in", "and")


@pytest.mark.parametrize("both_scores", [False, True])
def test_200_requests_by_16_clients_of_a_model_that_reads(tmp_path, monkeypatch, both_scores):
    """Of random weights; in company a caption is padded, and products have more rows."""
    scale = tiny_scale()
    monkeypatch.chdir(tmp_path)
    draw_folder(tmp_path / "crops", 40)
    sentences = [
        " ".join(np.random.default_rng(number).choice(WORDS, 1 + number % 20))
        for number in range(200)
    ]
    model = save_small_phase4(scale, sentences)
    index(tmp_path / "gallery", Request([tmp_path / "crops"], model, both_scores))
    alone = Searcher(Gallery.open("gallery"), both_scores=both_scores)
    together = Searcher(Gallery.open("gallery"), both_scores=both_scores)
    encode, sizes = together.encode, []
    monkeypatch.setattr(
        together, "encode", lambda queries: sizes.append(len(queries)) or encode(queries)
    )
    with running(Library(lambda: together)) as (host, port), ThreadPoolExecutor(16) as pool:
        base = f"http://{host}:{port}"
        answers = list(pool.map(lambda sentence: ask(base, sentence), sentences))
    assert sum(sizes) >= len({*sentences})
    assert max(sizes) > 1, "some came together"
    for sentence, answer in zip(sentences, answers, strict=True):
        (expected,) = alone.search(alone.encode([Query.parse(sentence)]), Page(20))
        assert [id for id, _ in answer] == [result.id for result in expected.results]
        scores = [result.score for result in expected.results]
        np.testing.assert_allclose([score for _, score in answer], scores, rtol=0, atol=1e-6)
