"""From a question of the API to its answer: pictures decoded, encoded together, searched."""

import hashlib
import time
from collections import OrderedDict

from anyio import CapacityLimiter
from anyio.to_thread import run_sync

from ubg.search.query import Encoded, Query
from ubg.search.searcher import Page, Searcher
from ubg.search.serving.batching import Batcher
from ubg.search.serving.library import Library, reading_gallery
from ubg.search.serving.messages import Answer, Question
from ubg.search.serving.pictures import uploaded_picture

KEPT = 256  # encoded queries: the next page asks the same again
DECODING, SEARCHING = 2, 4  # threads of each; thumbnails have others


class Desk:
    """Answers questions, many at once."""

    def __init__(self, library: Library) -> None:
        self._library = library
        self._batcher = Batcher(_encode)
        self._kept: OrderedDict[str, Encoded] = OrderedDict()
        self._decoding, self._searching = CapacityLimiter(DECODING), CapacityLimiter(SEARCHING)

    async def answer(self, question: Question) -> Answer:
        """One page of what is found.

        Raises:
            ValueError: the question cannot be asked; the message says what to change.
            Busy: too many wait.
            Broken: the gallery cannot be read.
        """
        began = time.monotonic()
        chosen, page = question.filter.filter(), Page(question.top, question.offset)
        searcher = await run_sync(self._library.current, limiter=self._searching)
        encoded = await self._encoded(question, searcher)

        def search() -> Answer:
            with reading_gallery():
                results = searcher.search(encoded, page, chosen)[0]
            return Answer.of(results, time.monotonic() - began)

        return await run_sync(search, limiter=self._searching)

    async def _encoded(self, question: Question, searcher: Searcher) -> Encoded:
        """By the model of that searcher, whatever the gallery has become meanwhile."""
        key = _key(question, searcher)
        if key not in self._kept:
            images = [
                await run_sync(uploaded_picture, picture.content(), limiter=self._decoding)
                for picture in question.images
            ]
            self._kept[key] = await self._batcher.encode((searcher, question.query(images)))
        self._kept.move_to_end(key)
        encoded = self._kept[key]
        while len(self._kept) > KEPT:
            self._kept.popitem(last=False)
        return encoded


def _key(question: Question, searcher: Searcher) -> str:
    """Of the model and all that it is asked; images by their vectors, as ids are a gallery's."""
    model = searcher.gallery.manifest.fingerprint
    asked = question.model_dump_json(include={"text", "images"})
    liked_PD = searcher.gallery.vectors(question.like)
    return hashlib.sha256(f"{model} {asked} ".encode() + liked_PD.tobytes()).hexdigest()


def _encode(asked: list[tuple[Searcher, Query]]) -> list[Encoded]:
    """Each by its own searcher, in one pass for each of these: mostly there is one."""
    encoded: dict[int, Encoded] = {}
    for searcher in dict.fromkeys(searcher for searcher, _ in asked):
        places = [place for place, (own, _) in enumerate(asked) if own is searcher]
        together = searcher.encode([asked[place][1] for place in places])
        encoded |= {place: together[row] for row, place in enumerate(places)}
    return [encoded[place] for place in range(len(asked))]
