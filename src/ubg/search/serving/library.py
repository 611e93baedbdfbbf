"""The gallery and the model behind the API: opened, and opened again when a writer was there."""

import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ubg.search.searcher import Searcher


class Broken(Exception):
    """The gallery cannot be read now; the message says why, in one line."""


class Library:
    """Gives the gallery as it is now, to any number of threads."""

    def __init__(self, open_searcher: Callable[[], Searcher]) -> None:
        self._open_searcher = open_searcher
        self._lock = threading.Lock()
        self._searcher: Searcher | None = None

    def current(self) -> Searcher:
        """A searcher of the gallery as the last writer left it.

        Raises:
            Broken: it cannot be read.
        """
        with self._lock, reading_gallery():
            if self._searcher is None:
                self._searcher = self._open_searcher()
            elif self._searcher.gallery.changed():
                self._searcher = self._reopened(self._searcher)
            return self._searcher

    def _reopened(self, before: Searcher) -> Searcher:
        """With the same model, unless the gallery or what accelerates it was made anew."""
        after = before.reopened()
        same = after.gallery.manifest == before.gallery.manifest and before.is_exact
        return after if same else self._open_searcher()


@contextmanager
def reading_gallery() -> Iterator[None]:
    """Within it, what goes wrong is the gallery's fault and is raised as `Broken`."""
    try:
        yield
    except (ValueError, OSError, sqlite3.Error) as error:
        raise Broken(" ".join(str(error).split())[:500]) from error
