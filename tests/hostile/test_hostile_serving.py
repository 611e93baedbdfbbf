"""Hostile requests and files: a 4xx in one line, nothing outside of the gallery, and it goes on."""

import base64
import gzip
import json
import socket

import httpx2
import pytest
from spoiled_images import CONTENTS, bomb, picture
from toy_search import library_of, running, toy_gallery

from ubg.search.indexing import Request, index
from ubg.search.serving.messages import MAX_BODY
from ubg.search.serving.pictures import UPLOAD_BYTES

SECRET = b"the secret outside"


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return tmp_path_factory.mktemp("hostile")


@pytest.fixture(scope="module")
def address(root):
    with pytest.MonkeyPatch.context() as monkeypatch:
        toy_gallery(root, monkeypatch)
        (root / "secret.txt").write_bytes(SECRET)
        (root / "crops/secret.txt").write_bytes(SECRET)
        with running(library_of(root)) as address:
            yield address


def answer_of(address, request):
    """Status line, headers and body of the answer to some bytes; the server closes at the end."""
    with socket.create_connection(address, timeout=60) as connection:
        connection.sendall(request)
        answer = b""
        while part := connection.recv(65536):
            answer += part
    head, _, body = answer.partition(b"\r\n\r\n")
    return head.decode("latin-1"), body


def get(path, **headers):
    lines = {"host": "127.0.0.1", "connection": "close"} | headers
    told = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return f"GET {path} HTTP/1.1\r\n{told}\r\n".encode("latin-1")


def post(body, path="/api/search", length=None, kind="application/json"):
    body = body if isinstance(body, bytes) else json.dumps(body).encode()
    length = len(body) if length is None else length
    head = f"POST {path} HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n"
    return f"{head}content-type: {kind}\r\ncontent-length: {length}\r\n\r\n".encode() + body


IMAGES = "/api/images/"
REQUESTS = {
    # Out of the gallery, by paths.
    "dots": get("/../../../etc/passwd"),
    "dots behind a file of the page": get("/page.css/../../../../etc/passwd"),
    "encoded dots": get("/%2e%2e/%2e%2e/%2e%2e/etc/passwd"),
    "dots encoded twice": get("/%252e%252e/%252e%252e/etc/passwd"),
    "dots in overlong UTF-8": get("/%c0%ae%c0%ae/%c0%ae%c0%ae/etc/passwd"),
    "backslashes": get("/..\\..\\etc\\passwd"),
    "a path for an id": get(f"{IMAGES}..%2f..%2fsecret.txt/thumbnail"),
    "an absolute path for an id": get(f"{IMAGES}%2fetc%2fpasswd/picture"),
    "a file beside the images": get(f"{IMAGES}secret.txt/picture"),
    "a zero byte": get("/page.css%00.png"),
    "an address of another server": get("http://127.0.0.1:1/api/nothing"),
    "the code of the server": get("/app.py"),
    "a folder": get("/page/"),
    # Numbers and names.
    "an unknown id": get(f"{IMAGES}999999/thumbnail"),
    "a negative id": get(f"{IMAGES}-1/thumbnail"),
    "an id beyond 64 bits": get(f"{IMAGES}{2**63}/thumbnail"),
    "an id of 4,000 digits": get(f"{IMAGES}{'9' * 4000}/thumbnail"),
    "an id that is SQL": get(f"{IMAGES}1%20OR%201=1/thumbnail"),
    "another host's name": get("/api/gallery", host="evil.example"),
    "a page of another site": get("/api/gallery", **{"sec-fetch-site": "cross-site"}),
    "another method": get("/api/images/1").replace(b"GET", b"DELETE"),
    # HTTP itself.
    "no HTTP": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 64 + b"\r\n\r\n",
    "a tunnel": get("127.0.0.1:22").replace(b"GET", b"CONNECT"),
    "two hosts": get("/api/gallery", host="127.0.0.1\r\nhost: evil.example"),
    "no host": b"GET /api/gallery HTTP/1.1\r\nconnection: close\r\n\r\n",
    "a packed body that inflates": post(
        gzip.compress(b'{"text": "red' + b" " * 20_000_000 + b'"}'),
        kind="application/json\r\ncontent-encoding: gzip",
    ),
    "headers without end": get("/", **{"x-long": "a" * 100_000}),
    "a length below zero": post(b"{}", length="-1"),
    "two lengths": post(b"{}", length="2\r\ncontent-length: 3"),
    "a length and chunks": post(b"{}", length="2\r\ntransfer-encoding: chunked"),
    "more than a body may have": post(b"", length=MAX_BODY + 1),
    # JSON.
    "no JSON": post(b"text=red", kind="application/x-www-form-urlencoded"),
    "half a JSON": post(b'{"text": "red"'),
    "lists in lists": post(b"[" * 100_000),
    "objects in objects": post(b'{"text":' * 50_000 + b'"red"' + b"}" * 50_000),
    "a list": post([]),
    "a key twice": post(b'{"text": "red", "text": 3}'),
    "300 texts": post({"text": " + ".join(["red"] * 300)}),
    "an unknown key": post({"text": "red", "sql": "DROP TABLE images"}),
    "no query": post({"text": "  "}),
    "a text of 100,000 letters": post({"text": "red " * 25_000}),
    "half a character": post(b'{"text": "red \\ud800"}'),
    "more results than there may be": post({"text": "red", "top": 10**6}),
    "a page behind all": post({"text": "red", "top": 10, "offset": 10**6}),
    "an offset below zero": post({"text": "red", "offset": -1}),
    "a number that is none": post(b'{"text": "red", "top": NaN}'),
    "a number of 10,000 digits": post(b'{"text": "red", "top": ' + b"9" * 10_000 + b"}"),
    "a number as a text": post({"text": "red", "top": "10"}),
    "a weight without end": post({"text": "9" * 1900 + " * red"}),
    "texts that cancel out": post({"text": "red - red"}),
    "a pattern that takes forever": post({"text": "red", "filter": {"path": "*a" * 50}}),
    "a time that is none": post({"text": "red", "filter": {"captured_from": "'; DROP TABLE"}}),
    "an id that is not there": post({"like": [10**9]}),
    "1,000 ids": post({"like": list(range(1000))}),
    "five images": post({"images": [{"data": ""}] * 5}),
    "an image that is no base64": post({"images": [{"data": "%%%%"}]}),
    "an image of an unknown kind": post({"images": [{"data": "", "kind": "../../x"}]}),
    "a drawing for a model that reads none": post(
        {"images": [{"data": base64.b64encode(picture("PNG")).decode(), "kind": "sk"}]}
    ),
}


@pytest.mark.parametrize("name", REQUESTS)
def test_hostile_requests_are_refused_in_a_line(address, name):
    head, body = answer_of(address, REQUESTS[name])
    status = int(head.split()[1])
    assert 400 <= status < 500, head
    assert SECRET not in body
    assert b"root:" not in body
    if "application/json" in head:  # what is no HTTP is answered below the application
        told = json.loads(body)
        assert [*told] == ["error"]
        assert told["error"].isprintable()
        assert 0 < len(told["error"]) <= 500
        assert "content-security-policy" in head
    assert httpx2.get(f"http://{address[0]}:{address[1]}/api/gallery").status_code == 200


FILES = {name: content for name, (content, _) in CONTENTS.items()} | {
    "60 million pixels": bomb(10_000, 6_000, 1, 0),
    "more bytes than an image may have": b"\x89PNG\r\n\x1a\n" + b"\0" * UPLOAD_BYTES,
    "a program": b"\x7fELF" + b"\0" * 100,
    "an archive": b"PK\x03\x04" + b"\0" * 100,
}


@pytest.mark.parametrize("name", FILES)
def test_hostile_pictures_of_a_query_are_refused_in_a_line(address, name):
    data = base64.b64encode(FILES[name]).decode()
    base = f"http://{address[0]}:{address[1]}"
    response = httpx2.post(f"{base}/api/search", json={"images": [{"data": data}]}, timeout=60)
    assert response.status_code == 422, response.text[:300]
    error = response.json()["error"]
    assert error.startswith("image"), error
    assert len(error.splitlines()) == 1
    assert len(error) < 400


def test_hostile_files_in_the_folder_are_left_out_and_nothing_else_is_served(tmp_path, monkeypatch):
    toy_gallery(tmp_path, monkeypatch)
    crops = tmp_path / "crops"
    for number, content in enumerate(FILES.values()):
        (crops / f"hostile_{number:02d}.png").write_bytes(content)
    (tmp_path / "secret.png").write_bytes(picture("PNG"))
    (crops / "link.png").symlink_to(tmp_path / "secret.png")
    (crops / "folder_link").symlink_to(tmp_path)
    (crops / "<script>alert(1)<\u202e.png").write_bytes(picture("PNG"))
    index(tmp_path / "gallery", Request([crops]))
    with running(library_of(tmp_path)) as (host, port):
        base = f"http://{host}:{port}"
        everything = {"text": "red", "top": 200}
        matches = httpx2.post(f"{base}/api/search", json=everything, timeout=60).json()["matches"]
        names = {match["image"]["path"] for match in matches}
        assert not {name for name in names if "link" in name or "secret" in name}
        # What decodes is an image: the pixels of some of these files are within the limits here.
        served = {name for name in names if name.startswith("hostile")}
        faults = httpx2.get(f"{base}/api/faults").json()
        assert len(faults) + len(served) == len(FILES)
        assert len(faults) >= 20
        for match in matches:
            response = httpx2.get(base + match["image"]["thumbnail"], timeout=60)
            assert response.headers["content-type"] == "image/jpeg"


def test_a_folder_that_became_a_link_is_not_followed(tmp_path, monkeypatch):
    toy_gallery(tmp_path, monkeypatch)
    (tmp_path / "crops/red").rename(tmp_path / "elsewhere")
    (tmp_path / "crops/red").symlink_to(tmp_path / "elsewhere")
    with running(library_of(tmp_path)) as (host, port):
        for number in (25, 26):
            image = httpx2.get(f"http://{host}:{port}/api/images/{number}").json()
            response = httpx2.get(f"http://{host}:{port}{image['thumbnail']}")
            expected = 404 if image["path"].startswith("red/") else 200
            assert response.status_code == expected, image
