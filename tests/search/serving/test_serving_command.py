"""`ubg serve` as a process of its own."""

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request as Asked
from urllib.request import urlopen

import pytest
from tiny_gallery import Stub, draw_folder, save_model

import ubg
from ubg.search.command import main
from ubg.search.gallery import Gallery
from ubg.search.indexing import Request, index
from ubg.search.query import Query
from ubg.search.searcher import Searcher

COMMAND = """
import ubg
from tiny_gallery import Stub
from ubg.search.command import main
ubg.load = Stub
main()
"""


@pytest.fixture
def gallery(tmp_path, monkeypatch):
    monkeypatch.setattr(ubg, "load", Stub)
    draw_folder(tmp_path / "imgs", 12)
    index(tmp_path / "gallery", Request([tmp_path / "imgs"], save_model(tmp_path), True))
    return tmp_path / "gallery"


def ask(address, token=None):
    headers = {"content-type": "application/json"}
    if token is not None:
        headers["authorization"] = f"Bearer {token}"
    body = json.dumps({"text": "a hat"}).encode()
    with urlopen(Asked(f"{address}api/search", body, headers), timeout=60) as answer:
        return json.load(answer)


@pytest.mark.parametrize(("host", "by_token"), [("127.0.0.1", False), ("0.0.0.0", True)])
def test_it_prints_its_link_answers_and_is_ended_by_ctrl_c(gallery, host, by_token):
    options = ["serve", gallery, "--host", host, "--port", "0", "--both-scores"]
    tests = str(Path(__file__).parents[2])
    paths = os.pathsep.join([tests, *filter(None, sys.path)])
    environment = {name: value for name, value in os.environ.items() if name != "UBG_TOKEN"}
    server = subprocess.Popen(
        [sys.executable, "-c", COMMAND, *map(str, options)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment | {"PYTHONPATH": paths},
    )
    try:
        assert server.stdout.readline() == "12 images; stop with Ctrl-C\n"
        link = server.stdout.readline()
        found = re.fullmatch(rf"(http://{re.escape(host)}:\d+/)(?:#token=(\S+))?\n", link)
        assert found, link
        address, token = found[1].replace(host, "127.0.0.1"), found[2]
        assert (token is not None) == by_token
        if by_token:
            for guess in (None, token + "x"):
                with pytest.raises(HTTPError) as refused:
                    ask(address, guess)
                assert refused.value.code == 401
        searcher = Searcher(Gallery.open(gallery), both_scores=True)
        (expected,) = searcher.search(searcher.encode([Query.parse("a hat")]))
        scores = [match["score"] for match in ask(address, token)["matches"]]
        assert scores == pytest.approx([result.score for result in expected.results], abs=1e-6)
        server.send_signal(signal.SIGINT)
        out, fault = server.communicate(timeout=60)
    finally:
        server.kill()
        server.wait()
    assert out == ""
    assert re.fullmatch(r"\nstopped by SIGINT; [^\n]+\n", fault), fault
    assert server.returncode == 130


@pytest.mark.parametrize(
    ("missing", "command"),
    [
        ("uvicorn", ["serve", "gallery"]),
        ("fastapi", ["serve", "gallery"]),
        ("faiss", ["accelerate", "gallery"]),
        ("pymilvus", ["index", "imgs", "--model", "model", "--gallery", "http://127.0.0.1:9"]),
    ],
)
def test_what_the_extra_brings_is_named_where_it_is_missing(gallery, monkeypatch, missing, command):
    monkeypatch.chdir(gallery.parent)
    monkeypatch.setenv("XDG_DATA_HOME", str(gallery.parent / "home"))
    monkeypatch.setattr(sys, "argv", ["ubg", *command])
    for module in ("serve", "app"):  # which would be remembered with what they import
        monkeypatch.delitem(sys.modules, f"ubg.search.serving.{module}", raising=False)
    monkeypatch.setitem(sys.modules, missing, None)  # found no more
    with pytest.raises(SystemExit) as stop:
        main()
    line = str(stop.value)
    assert re.fullmatch(r"error: [^\n]*pip install 'ubg\[search\]'", line), line
