"""A connection that asks nothing is closed, and one that asks is not."""

import socket
import time

import httpx2
import pytest
from toy_search import library_of, running, toy_gallery

from ubg.search.serving import connections

HEAD = b"GET /api/gallery HTTP/1.1\r\nhost: 127.0.0.1\r\n"


@pytest.fixture
def library(tmp_path, monkeypatch):
    toy_gallery(tmp_path, monkeypatch)
    return library_of(tmp_path)


def connect(address, sent=b""):
    connection = socket.create_connection(address, timeout=60)
    connection.sendall(sent)
    return connection


def is_closed(connection):
    with connection:
        return connection.recv(100) == b""


def test_what_does_not_ask_in_time_is_closed(library, monkeypatch):
    monkeypatch.setattr(connections, "HEAD_SECONDS", 0.2)
    with running(library) as address:
        assert is_closed(connect(address))
        assert is_closed(connect(address, HEAD))
        with connect(address, HEAD + b"\r\n") as connection:
            answer = b""
            while b'"name"' not in answer:
                answer += connection.recv(65536)
            connection.sendall(HEAD)  # of a second request, without its end
            while part := connection.recv(65536):
                answer += part
            assert answer.count(b"HTTP/1.1 ") == 1


def test_an_answer_may_take_longer(library, monkeypatch):
    monkeypatch.setattr(connections, "HEAD_SECONDS", 0.2)
    current = library.current

    def slow():
        time.sleep(0.6)
        return current()

    monkeypatch.setattr(library, "current", slow)
    with running(library) as address:
        assert httpx2.get(f"http://127.0.0.1:{address[1]}/api/gallery").status_code == 200


def test_more_than_there_may_be_are_closed_at_once_and_the_others_answered(library, monkeypatch):
    monkeypatch.setattr(connections, "MOST", 3)
    asked = HEAD + b"\r\n"
    with (
        running(library) as address,
        connect(address),
        connect(address),
        connect(address, asked) as third,
    ):
        assert third.recv(100).startswith(b"HTTP/1.1 200")
        assert is_closed(connect(address))
