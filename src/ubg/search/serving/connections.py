"""Connections that ask nothing do not keep others out."""

import asyncio

from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

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
            self._expect_head_after(None)

    def on_response_complete(self) -> None:
        """The next request may follow."""
        answered = self.cycle
        super().on_response_complete()  # which begins with one that was sent meanwhile
        self._expect_head_after(answered)

    def _expect_head_after(self, last: RequestResponseCycle | None) -> None:
        self.loop.call_later(HEAD_SECONDS, self._close_unless_asked, last)

    def _close_unless_asked(self, last: RequestResponseCycle | None) -> None:
        if self.cycle is last:
            self.transport.close()
