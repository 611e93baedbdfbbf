"""What every request passes first, whatever the application behind: who asks, from where, how much.

A server on the loopback address is asked without a token, and then only by its own name: a page of
another site whose host name was made to lead here (DNS rebinding) is refused. Elsewhere each
request of the API carries the token.
"""

import asyncio
import hmac
import json
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie
from typing import Any, TypeAlias

Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
Application: TypeAlias = Callable[[Message, Receive, Send], Awaitable[None]]

API = "/api/"
SESSION = "/api/session"
COOKIE = "ubg_token"
HEADER_BYTES = 16 * 1024
BODY_SECONDS = 30.0  # a body that trickles in for longer is cut off

HEADERS = {
    # Nothing runs or loads but the page's own files; pictures that are dropped are blobs.
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; "
        "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=()",
}


@dataclass(frozen=True)
class Rules:
    """Attributes:
    token: what each request of the API must carry; None: nothing.
    hosts: the names that the server may be asked by, without port; None: any.
    body_bytes: the longest body.
    """

    token: str | None
    hosts: frozenset[str] | None
    body_bytes: int


class Refused(Exception):
    """A request that is answered by `status` and one line."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


class Guard:
    """An ASGI application around another one: refuses by `rules`, adds `HEADERS` to all answers."""

    def __init__(self, application: Application, rules: Rules) -> None:
        self._application = application
        self._rules = rules

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer one request, or pass it on."""
        if scope["type"] != "http":
            await self._application(scope, receive, send)
            return
        begun = False

        async def send_guarded(message: Message) -> None:
            nonlocal begun
            if message["type"] == "http.response.start":
                begun = True
                message["headers"] = _with_headers(message.get("headers", []))
            await send(message)

        try:
            self._check(scope)
            body = await _whole_body(receive, self._rules.body_bytes)
            await self._application(scope, _once(body, receive), send_guarded)
        except Refused as refused:
            if begun:
                raise
            await _answer(send_guarded, refused)

    def _check(self, scope: Message) -> None:
        if sum(len(name) + len(value) for name, value in scope["headers"]) > HEADER_BYTES:
            raise Refused(431, f"the headers are longer than {HEADER_BYTES:,} bytes")
        headers = _headers_of(scope)
        hosts = self._rules.hosts
        if hosts is not None and _name_of(headers.get("host", "")) not in hosts:
            raise Refused(421, "this server is not asked by that host name")
        length = headers.get("content-length", "0")
        if "content-length" in headers and "transfer-encoding" in headers:
            raise Refused(400, "a body has a length or comes in chunks, not both")
        if not length.isdecimal() or len(length) > 18:
            raise Refused(400, "content-length is no number")
        if int(length) > self._rules.body_bytes:
            raise Refused(413, f"the request is longer than {self._rules.body_bytes:,} bytes")
        if not scope["path"].startswith(API):
            return
        # Browsers say where a request comes from; other clients say nothing.
        if headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
            raise Refused(403, "the API is not for pages of another site")
        if scope["path"] != SESSION and not carries_token(headers, self._rules.token):
            raise Refused(401, "a token is needed: the server printed it when it started")


def carries_token(headers: dict[str, str], token: str | None) -> bool:
    """Whether a request has the token, in its `Authorization` header or its cookie."""
    if token is None:
        return True
    scheme, _, given = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and same(given.strip(), token):
        return True
    try:
        cookie = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
    except CookieError:
        return False
    return cookie is not None and same(cookie.value, token)


def same(given: str, token: str) -> bool:
    """Whether both are equal, in a time that does not tell how far they are."""
    return hmac.compare_digest(given.encode("utf-8", "replace"), token.encode())


def _headers_of(scope: Message) -> dict[str, str]:
    """Header lines by their names; of several of one name the last."""
    return {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}


def _name_of(host: str) -> str:
    """`localhost:8000` and `[::1]:8000` without their port."""
    name, bracket, _ = host.partition("]")
    return name + bracket if bracket else host.partition(":")[0].lower()


async def _whole_body(receive: Receive, most: int) -> bytes:
    """The body of a request; it lies in memory, so that handlers need no files of their own."""
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_SECONDS):
            while True:
                message = await receive()
                if message["type"] != "http.request":  # gone before it had asked
                    raise Refused(400, "the request ended early")
                body += message.get("body", b"")
                if len(body) > most:
                    raise Refused(413, f"the request is longer than {most:,} bytes")
                if not message.get("more_body", False):
                    return bytes(body)
    except TimeoutError:
        raise Refused(408, f"the request took more than {BODY_SECONDS:.0f} seconds") from None


def _once(body: bytes, receive: Receive) -> Receive:
    """A `receive` that gives the body that was read, then what comes after it."""
    given = False

    async def receive_body() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return receive_body


def _with_headers(lines: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    own = [(name.encode(), value.encode()) for name, value in HEADERS.items()]
    # What an answer does not allow to be kept is not kept: queries and pictures are private.
    if not any(name.lower() == b"cache-control" for name, _ in lines):
        own.append((b"cache-control", b"no-store"))
    return [*lines, *own]


async def _answer(send: Send, refused: Refused) -> None:
    body = json.dumps({"error": refused.reason}).encode()
    lines = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    if refused.status == 401:
        lines.append((b"www-authenticate", b"Bearer"))
    if refused.status in (400, 408, 413):  # the rest of the body is not read
        lines.append((b"connection", b"close"))
    await send({"type": "http.response.start", "status": refused.status, "headers": lines})
    await send({"type": "http.response.body", "body": body})
