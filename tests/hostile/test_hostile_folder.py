"""Hostile files in a folder that is indexed: each told in a line, and indexing goes on."""

import os
import re
import socket
import sys
from pathlib import Path

import pytest
from spoiled_images import CONTENTS, bomb, half, picture
from tiny_gallery import Stub, draw_folder, save_model

import ubg
from ubg.runtime.opening import Kind
from ubg.search.command import main
from ubg.search.gallery import Gallery

GOOD = 5


def rubbish_of_a_camera(orientation: bytes) -> bytes:
    """A JPEG whose EXIF is damaged from its first entry on."""
    return picture("JPEG", exif=b"Exif\0\0II*\0\x08\0\0\0\xff\xff" + orientation * 40)


def scans_without_end() -> bytes:
    """A progressive JPEG of few bytes that is gone through thousands of times."""
    jpeg = picture("JPEG", progressive=True)
    start = jpeg.index(b"\xff\xc2")
    large = jpeg[: start + 5] + (7_000).to_bytes(2, "big") * 2 + jpeg[start + 9 :]
    return large + b"\xff\xda\0\x08\1\1\0\0\0\0" * 200_000


def socket_at(path):
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(str(path))


def with_bytes(content):
    return lambda path: path.write_bytes(content)


def larger_than_may_be(path):
    with path.open("wb") as file:
        file.truncate(Kind.IMAGE + 1)


def only_for_others(path):
    path.write_bytes(picture("PNG"))
    path.chmod(0)


def in_a_closed_folder(path):
    path.mkdir()
    (path / "inner.png").write_bytes(picture("PNG"))
    path.chmod(0)


def link_out(path):
    secret = Path("secret.png").absolute()
    secret.write_bytes(picture("PNG"))
    path.symlink_to(secret)


# The name of the file, what makes it, and what is said of it; None where it is a picture after all
# or where nothing is to be said.
FILES = {
    "a named pipe": ("pipe.png", os.mkfifo, "a pipe, socket or device"),
    "a socket": ("socket.png", socket_at, "a pipe, socket or device"),
    "a link out of the folder": ("out.png", link_out, "it is a link"),
    "a link to a device": ("zero.png", lambda path: path.symlink_to("/dev/zero"), "it is a link"),
    "a link to itself": ("loop.png", lambda path: path.symlink_to(path.name), "it is a link"),
    "a link to nothing": ("nothing.png", lambda path: path.symlink_to("none"), "it is a link"),
    "a link to the folder above": ("up", lambda path: path.symlink_to(".."), None),
    "a folder with the name of a picture": ("x.jpg", lambda path: path.mkdir(), None),
    "a closed folder": ("closed.png", in_a_closed_folder, "Permission denied"),
    "a closed file": ("closed_file.png", only_for_others, "Permission denied"),
    "no bytes": ("empty.jpg", with_bytes(b""), "has no bytes"),
    "text": ("letter.jpg", with_bytes(b"Dear Sir or Madam"), "no image of a known format"),
    "a program": ("tool.jpg", with_bytes(b"\x7fELF" + b"\0" * 100), "no image of a known format"),
    "a page with a script": (
        "page.gif",
        with_bytes(b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>"),
        "no image of a known format",
    ),
    "half a picture": ("half.jpg", with_bytes(half(picture("JPEG"))), "runcated"),
    "a header of 50,000 squared": (
        "huge.png",
        with_bytes(CONTENTS["PNG header of 50,000 squared"][0]),
        "is too large",
    ),
    "a bomb of 65 million pixels": (
        "bomb.png",
        with_bytes(bomb(10_000, 6_500, 1, 0)),
        "more than 50,000,000",
    ),
    "a text that inflates": (
        "chunk.png",
        with_bytes(CONTENTS["PNG text that inflates"][0]),
        "too large",
    ),
    "scans without end": ("scans.jpg", with_bytes(scans_without_end()), "scans of"),
    "more bytes than a picture may have": ("large.png", larger_than_may_be, "more than"),
    "rubbish for EXIF": ("exif.jpg", with_bytes(rubbish_of_a_camera(b"\xff\x12\x01")), None),
    "a name that steers a terminal": (
        "\x1b[2J\n\u202e<script>.png",
        with_bytes(b"no image"),
        "no image of a known format",
    ),
    "a name that is no UTF-8": (
        os.fsdecode(b"\xff\xfe.png"),
        with_bytes(picture("PNG")),
        "no UTF-8",
    ),
    "a name of 255 bytes": ("n" * 251 + ".png", with_bytes(b"no image"), "no image of a known"),
    "a name of a path": ("%2e%2e%2fsecret.png", with_bytes(b"no image"), "no image of a known"),
}


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.setattr(ubg, "load", Stub)
    monkeypatch.chdir(tmp_path)
    draw_folder(tmp_path / "imgs", GOOD)
    save_model(tmp_path)
    yield tmp_path
    for path in (tmp_path / "imgs").glob("closed*"):
        path.chmod(0o700)


def run(monkeypatch, capsys, *arguments):
    monkeypatch.setattr(sys, "argv", ["ubg", *arguments])
    main()
    return capsys.readouterr().out


def may_be_told(name):
    """To the administrator nothing is closed."""
    return os.geteuid() != 0 or "closed" not in name


def test_each_is_told_in_a_line_and_the_rest_is_indexed(place, monkeypatch, capsys):
    monkeypatch.setattr("ubg.search.command.SHOWN_FAULTS", 100)
    told = {}
    for name, (file, make, says) in FILES.items():
        make(place / "imgs" / file)
        if says and may_be_told(name):
            told[name] = says
    order = ("index", "imgs", "--model", "model", "--gallery", "gallery")
    first, second = run(monkeypatch, capsys, *order), run(monkeypatch, capsys, *order)
    lines = [line for line in first.splitlines() if line.startswith("left out: ")]
    assert lines == [line for line in second.splitlines() if line.startswith("left out: ")]
    for name, says in told.items():
        shown = FILES[name][0].removesuffix(".png")
        named = shown if shown.isprintable() else ""
        assert any(f"/{named}" in line and says in line for line in lines), name
    assert len(lines) == len(told), "one each, and of nothing else"
    assert all(line.isprintable() and len(line) < 700 for line in lines), "no line of another make"
    assert first.splitlines()[1:] == lines, "and nothing else is said"
    with Gallery.open(place / "gallery") as gallery:
        ids = gallery.snapshot.ids_N[gallery.snapshot.alive_N]
        found = {entry.path for entry in gallery.entries(ids)}
        pictures = {path for path in found if re.fullmatch(r"cam\d/\d{3}\.png", path)}
        assert len(pictures) == GOOD
        closed = {"closed.png/inner.png", "closed_file.png"} if os.geteuid() == 0 else set()
        assert found - pictures == {"exif.jpg"} | closed
        for id in ids:
            gallery.open_image(int(id))


@pytest.mark.parametrize("kind", [os.mkfifo, link_out, lambda path: path.mkdir()])
def test_a_picture_that_became_something_else_is_gone(place, monkeypatch, capsys, kind):
    run(monkeypatch, capsys, "index", "imgs", "--model", "model", "--gallery", "gallery")
    (place / "imgs/cam0/000.png").unlink()
    kind(place / "imgs/cam0/000.png")
    assert "1 gone" in run(monkeypatch, capsys, "index", "--gallery", "gallery")
    with Gallery.open("gallery") as gallery:
        assert gallery.count == GOOD - 1
