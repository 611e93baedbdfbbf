"""Who may ask, and how much."""

import pytest
from starlette.testclient import TestClient
from toy_search import library_of, toy_gallery

from ubg.search.serving import guard
from ubg.search.serving.app import guarded
from ubg.search.serving.guard import COOKIE, HEADERS, Rules
from ubg.search.serving.serve import Address, chosen_token, listen, rules, serve, url

TOKEN = "a-token-that-nobody-guesses"


@pytest.fixture
def library(tmp_path, monkeypatch):
    toy_gallery(tmp_path, monkeypatch)
    return library_of(tmp_path)


def client_of(library, rules, host="127.0.0.1:8000"):
    return TestClient(guarded(library, rules), base_url=f"http://{host}")


@pytest.fixture
def open_client(library):
    return client_of(library, rules(Address("127.0.0.1", 8000), None))


@pytest.fixture
def locked(library):
    return client_of(library, Rules(TOKEN, None, 1000))


@pytest.mark.parametrize("host", ["127.0.0.1:8000", "localhost:8000", "LOCALHOST", "[::1]:8000"])
def test_a_loopback_server_is_asked_by_its_own_name(open_client, host):
    assert open_client.get("/api/gallery", headers={"host": host}).status_code == 200


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "", "192.168.0.7"])
def test_and_by_no_other_name(open_client, host):
    response = open_client.get("/api/gallery", headers={"host": host})
    assert response.status_code == 421
    assert open_client.get("/", headers={"host": host}).status_code == 421


def test_a_page_of_another_site_gets_nothing_from_the_api(open_client):
    for site in ("cross-site", "same-site"):
        headers = {"sec-fetch-site": site}
        assert open_client.get("/api/images/1/thumbnail", headers=headers).status_code == 403
        assert open_client.get("/", headers=headers).status_code == 200, "a link to the page"
    assert open_client.get("/api/gallery", headers={"sec-fetch-site": "same-origin"}).is_success


def test_no_answer_allows_other_origins(open_client):
    for response in (open_client.get("/api/gallery"), open_client.options("/api/search")):
        assert not [name for name in response.headers if name.startswith("access-control")]
        assert HEADERS.items() <= dict(response.headers).items()


def test_the_headers_let_nothing_run_or_load_but_the_pages_own(open_client):
    for address in ("/", "/page.js", "/api/gallery", "/api/images/1/thumbnail", "/api/nothing"):
        headers = open_client.get(address).headers
        policy = dict(rule.split(" ", 1) for rule in headers["content-security-policy"].split("; "))
        assert policy == {
            "default-src": "'none'",
            "script-src": "'self'",
            "style-src": "'self'",
            "img-src": "'self' blob:",
            "connect-src": "'self'",
            "form-action": "'self'",
            "base-uri": "'none'",
            "frame-ancestors": "'none'",
        }
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "DENY"
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["cross-origin-resource-policy"] == "same-origin"
        assert headers["cross-origin-opener-policy"] == "same-origin"
    assert open_client.get("/api/gallery").headers["cache-control"] == "no-store"


def test_the_api_takes_json_that_says_so(open_client):
    """A form of another site can send text, but not name it JSON without being asked about."""
    body = b'{"text": "red"}'
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data"):
        response = open_client.post("/api/search", content=body, headers={"content-type": kind})
        assert response.status_code == 422, kind


def test_where_a_token_is_needed_only_the_page_comes_without(locked):
    assert locked.get("/").status_code == 200
    for address in ("/api/gallery", "/api/openapi.json", "/api/images/1/thumbnail", "/api/nothing"):
        response = locked.get(address)
        assert response.status_code == 401
        assert response.headers["www-authenticate"] == "Bearer"
        assert HEADERS.items() <= dict(response.headers).items()
    assert locked.post("/api/search", json={"text": "red"}).status_code == 401


@pytest.mark.parametrize(
    "headers",
    [
        {"authorization": f"Bearer {TOKEN}x"},
        {"authorization": f"Bearer {TOKEN[:-1]}"},
        {"authorization": "Bearer "},
        {"authorization": f"Basic {TOKEN}"},
        {"cookie": f"{COOKIE}="},
        {"cookie": f"other={TOKEN}"},
        {"cookie": f"{COOKIE}={TOKEN}x; ,,="},
        {"authorization": "Bearer täken".encode("latin-1").decode("latin-1")},
    ],
)
def test_what_is_no_token_opens_nothing(locked, headers):
    raw = {name: value.encode("latin-1") for name, value in headers.items()}
    assert locked.get("/api/gallery", headers=raw).status_code == 401


def test_the_token_opens_by_header_and_by_cookie(locked):
    headers = {"authorization": f"Bearer {TOKEN}"}
    assert locked.get("/api/gallery", headers=headers).status_code == 200
    assert locked.post("/api/session", json={"token": TOKEN + "x"}).status_code == 401
    response = locked.post("/api/session", json={"token": TOKEN})
    assert response.status_code == 204
    kept = response.headers["set-cookie"].lower()
    assert "httponly" in kept
    assert "samesite=strict" in kept
    assert locked.get("/api/gallery").status_code == 200


def test_tokens_are_compared_in_constant_time(monkeypatch):
    compared = []
    monkeypatch.setattr(guard.hmac, "compare_digest", lambda *pair: compared.append(pair) or True)
    assert guard.carries_token({"authorization": "Bearer x"}, TOKEN)
    assert guard.carries_token({"cookie": f"{COOKIE}=y"}, TOKEN)
    assert compared == [(b"x", TOKEN.encode()), (b"y", TOKEN.encode())]


def test_a_body_has_a_limit_whether_it_tells_its_length_or_not(locked):
    headers = {"authorization": f"Bearer {TOKEN}", "content-type": "application/json"}
    long = b'{"text": "' + b"a" * 1000 + b'"}'
    assert locked.post("/api/search", content=long, headers=headers).status_code == 413
    pieces = iter([long[:600], long[600:]])
    assert locked.post("/api/search", content=pieces, headers=headers).status_code == 413


def test_loopback_needs_no_token_and_any_other_address_does():
    for host in ("127.0.0.1", "::1", "localhost", "127.9.9.9"):
        assert chosen_token(Address(host, 1), None) is None
        assert chosen_token(Address(host, 1), TOKEN) == TOKEN
    made = {chosen_token(Address(host, 1), None) for host in ("0.0.0.0", "::", "192.168.1.4", "x")}
    assert len(made) == 4
    assert all(len(token) >= 40 for token in made)


@pytest.mark.parametrize(
    "given", ["", "short", "a" * 15, "a" * 30 + ";", "a" * 20 + " b", "ä" * 20]
)
def test_a_token_that_is_guessed_or_no_cookie_is_refused(given):
    with pytest.raises(ValueError, match="UBG_TOKEN: give 16"):
        chosen_token(Address("127.0.0.1", 1), given)


def test_the_link_keeps_the_token_from_logs():
    assert url("127.0.0.1", 8000, None) == "http://127.0.0.1:8000/"
    assert url("::1", 80, "abc") == "http://[::1]:80/#token=abc"


def test_an_address_that_is_taken_or_unknown_is_told(library):
    with listen(Address("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ValueError, match=f"^127.0.0.1:{port}: .*choose another"):
            serve(library, Address("127.0.0.1", port))
    with pytest.raises(ValueError, match="choose another"):
        listen(Address("no.such.host.invalid", 80))


def test_a_gallery_that_cannot_be_read_is_not_served(tmp_path):
    with pytest.raises(ValueError, match="is no gallery"):
        serve(library_of(tmp_path), Address("127.0.0.1", 0))
