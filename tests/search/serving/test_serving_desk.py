"""Who asks is answered by the model and the gallery that were there when it was asked."""

import asyncio
import time
from functools import partial
from types import SimpleNamespace

import numpy as np

from ubg.search.query import Encoded
from ubg.search.searcher import Results
from ubg.search.serving.desk import Desk
from ubg.search.serving.messages import Question


class Noting:
    """A searcher whose model gives `number` for all; notes what it is asked to search by."""

    def __init__(self, number, model="m", images=(0.0,)):
        def vectors(ids):
            return np.array([[images[id]] for id in ids], np.float32)

        self.gallery = SimpleNamespace(manifest=SimpleNamespace(fingerprint=model), vectors=vectors)
        self.number, self.searched, self.encoded = number, [], 0

    def encode(self, queries):
        time.sleep(0.02)  # so that others wait, and come together
        self.encoded += 1
        rows = [[self.number + self.gallery.vectors(query.like).sum()] for query in queries]
        return Encoded(np.array(rows, np.float32), None, (True,) * len(rows))

    def search(self, encoded, page, filter):
        self.searched.append(encoded.vectors_QD.item())
        return [Results([], 0, None)]


def asked(searchers, *questions):
    """Each of the questions when the next of the searchers is the current one."""

    async def all_at_once():
        desk = Desk(SimpleNamespace(current=partial(list(searchers).pop, 0)))
        for question in questions:
            if isinstance(question, list):
                await asyncio.gather(*map(desk.answer, question))
            else:
                await desk.answer(question)

    asyncio.run(all_at_once())


def test_a_model_that_came_meanwhile_has_no_part_in_an_answer():
    before, after = Noting(1, "before"), Noting(2, "after")
    question = Question(text="a hat")
    asked([before, after, before, after], *[question] * 4)
    assert (before.searched, after.searched) == ([1, 1], [2, 2])
    assert (before.encoded, after.encoded) == (1, 1), "what was encoded is kept"


def test_questions_of_two_states_that_come_together_are_encoded_apart():
    before, after = Noting(1, "before"), Noting(2, "after")
    questions = [Question(text=f"hat {number}") for number in range(12)]
    asked([before, after] * 6, questions)
    assert (before.searched, after.searched) == ([1] * 6, [2] * 6)


def test_an_id_of_another_gallery_is_another_image():
    before, after = Noting(1, images=(0.25,)), Noting(1, images=(0.5,))
    asked([before, after], *[Question(like=[0])] * 2)
    assert (before.searched, after.searched) == ([1.25], [1.5])
