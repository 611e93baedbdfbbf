"""`ubg serve`: the API and the page on an address, until it is stopped."""

import ipaddress
import os
import re
import secrets
import socket
from dataclasses import dataclass

import uvicorn

from ubg.search.query import Query
from ubg.search.searcher import Page
from ubg.search.serving.app import guarded
from ubg.search.serving.connections import PatientProtocol
from ubg.search.serving.guard import Rules
from ubg.search.serving.library import Broken, Library
from ubg.search.serving.messages import MAX_BODY

TOKEN = "UBG_TOKEN"  # noqa: S105 -- the name of a variable
OWN_NAMES = frozenset({"localhost", "127.0.0.1", "[::1]"})


@dataclass(frozen=True)
class Address:
    """Where the server listens; port 0: any that is free."""

    host: str
    port: int

    @property
    def is_loopback(self) -> bool:
        """Whether this machine alone reaches it."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False


def serve(library: Library, address: Address) -> None:
    """Answer requests until the process is interrupted.

    On a loopback address no token is needed, unless the variable `UBG_TOKEN` gives one. On any
    other the token is that one, or a new one, which is printed.

    Raises:
        ValueError: the gallery cannot be read, nothing can listen there, or the token is no good.
        KeyboardInterrupt: it was stopped, after the requests that ran were answered.
    """
    token = chosen_token(address, os.environ.get(TOKEN))
    with listen(address) as listening:
        count = _warmed(library)
        server = uvicorn.Server(server_config(library, rules(address, token)))
        link = url(address.host, listening.getsockname()[1], token)
        print(f"{count:,} images; stop with Ctrl-C\n{link}", flush=True)
        server.run(sockets=[listening])


def server_config(library: Library, rules: Rules) -> uvicorn.Config:
    """How the server runs: it says nothing of itself, believes no proxy and keeps no log."""
    return uvicorn.Config(
        guarded(library, rules),
        http=PatientProtocol,
        ws="none",
        log_level="error",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=15,
        timeout_graceful_shutdown=5,
        h11_max_incomplete_event_size=16 * 1024,
    )


def rules(address: Address, token: str | None) -> Rules:
    """What a request must meet there."""
    if not address.is_loopback:
        return Rules(token, None, MAX_BODY)
    own = f"[{address.host}]" if ":" in address.host else address.host
    return Rules(token, OWN_NAMES | {own}, MAX_BODY)


def _warmed(library: Library) -> int:
    """Search once, so that the first to ask does not wait for compilation; returns the count."""
    try:
        searcher = library.current()
        searcher.search(searcher.encode([Query.parse("a person")]), Page(top=1))
    except Broken as broken:
        raise ValueError(str(broken)) from None
    return searcher.gallery.count


def chosen_token(address: Address, given: str | None) -> str | None:
    """The token that requests must carry, or None.

    Raises:
        ValueError: the given one can be guessed, or cannot stand in a cookie.
    """
    if given is None:
        return None if address.is_loopback else secrets.token_urlsafe(32)
    if not re.fullmatch(r"[A-Za-z0-9_-]{16,500}", given):
        raise ValueError(f"{TOKEN}: give 16 to 500 letters, digits, - and _, or unset it")
    return given


def listen(address: Address) -> socket.socket:
    """A socket that listens there.

    Raises:
        ValueError: it cannot.
    """
    try:
        found = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)
        family, _, _, _, place = found[0]
        return socket.create_server(place[:2], family=family, backlog=512)
    except OSError as error:
        reason = error.strerror or str(error)
        raise ValueError(
            f"{address.host}:{address.port}: {reason}; choose another with --host and --port"
        ) from None


def url(host: str, port: int, token: str | None) -> str:
    """What to open; the token stands behind `#`, which browsers send to nobody."""
    name = f"[{host}]" if ":" in host else host
    return f"http://{name}:{port}/" + ("" if token is None else f"#token={token}")
