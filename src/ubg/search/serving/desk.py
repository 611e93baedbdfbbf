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
        self._batcher = Batcher(self._encode)
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
        asked = question.model_dump_json(include={"text", "images", "like"})
        model = searcher.gallery.manifest.fingerprint
        key = hashlib.sha256(f"{model} {asked}".encode()).hexdigest()
        if key not in self._kept:
            images = [
                await run_sync(uploaded_picture, picture.content(), limiter=self._decoding)
                for picture in question.images
            ]
            self._kept[key] = await self._batcher.encode(question.query(images))
        self._kept.move_to_end(key)
        encoded = self._kept[key]
        while len(self._kept) > KEPT:
            self._kept.popitem(last=False)
        return encoded

    def _encode(self, queries: list[Query]) -> list[Encoded]:
        encoded = self._library.current().encode(queries)
        return [encoded[query] for query in range(len(queries))]
