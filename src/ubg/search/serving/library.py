"""The gallery and the model behind the API: opened, and opened again when a writer was there."""

import logging
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import copy

from ubg.search.engines.contract import Index
from ubg.search.gallery import Gallery
from ubg.search.searcher import Searcher

GONE = (
    "approximate search has no file for the rows as they are now: the search is exact until "
    "`ubg accelerate` has made one"
)
BACK = "the search is approximate again"


class Broken(Exception):
    """The gallery cannot be read now; the message says why, in one line."""


class Library:
    """Gives the gallery as it is now, to any number of threads."""

    def __init__(
        self,
        open_searcher: Callable[[], Searcher],
        find_engine: Callable[[Gallery], Index | None] | None = None,
    ) -> None:
        """Open nothing yet.

        Args:
            open_searcher: opens the gallery with its model.
            find_engine: what accelerates a gallery as it is; None while there is nothing, and the
                search is exact.
        """
        self._open_searcher, self._find_engine = open_searcher, find_engine
        self._lock = threading.Lock()
        self._searcher: Searcher | None = None
        self._told = False

    def current(self) -> Searcher:
        """A searcher of the gallery as the last writer left it.

        Raises:
            Broken: it cannot be read.
        """
        with self._lock, reading_gallery():
            if self._searcher is None:
                self._searcher = self._accelerated(self._open_searcher())
            elif self._searcher.gallery.changed():
                self._searcher = self._accelerated(self._reopened(self._searcher))
            elif self._searcher.is_exact:
                self._searcher = self._accelerated(self._searcher)
            return self._searcher

    def _reopened(self, before: Searcher) -> Searcher:
        """With the same model, unless the gallery was made anew."""
        after = before.reopened()
        same = after.gallery.manifest == before.gallery.manifest
        return after if same else self._open_searcher()

    def _accelerated(self, searcher: Searcher) -> Searcher:
        """With what accelerates it, where that is wanted; that it is not there is said once."""
        if self._find_engine is None:
            return searcher
        engine = self._find_engine(searcher.gallery)
        if (engine is None) != self._told:
            self._told = engine is None
            logging.getLogger("ubg.search").warning(GONE if self._told else BACK)
        if engine is None:
            return searcher
        after = copy(searcher)  # others search by this one now
        after.use(engine)
        return after


@contextmanager
def reading_gallery() -> Iterator[None]:
    """Within it, what goes wrong is the gallery's fault and is raised as `Broken`."""
    try:
        yield
    except (ValueError, OSError, sqlite3.Error) as error:
        raise Broken(" ".join(str(error).split())[:500]) from error
