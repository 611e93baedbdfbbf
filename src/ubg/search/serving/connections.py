"""Connections that ask nothing do not keep others out."""

import asyncio
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

HEAD_SECONDS = 10.0  # within which the head of a request, the first or the next one, is there
MOST = 512  # at once; a process may usually have 1,024 files open


class PatientProtocol(H11Protocol):
    """HTTP/1.1 with an end to its patience: uvicorn waits for the head of a request for good."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A connection more; beyond `MOST`, one that is closed at once."""
        super().connection_made(transport)
        if len(self.connections) > MOST:
            transport.close()
        else:
            self._expect_head()

    def on_response_complete(self) -> None:
        """The next request may follow."""
        super().on_response_complete()
        self._expect_head()

    def _expect_head(self) -> None:
        self.loop.call_later(HEAD_SECONDS, self._close_unless_asked, self.cycle)

    def _close_unless_asked(self, last: Any) -> None:
        if self.cycle is last:
            self.transport.close()
