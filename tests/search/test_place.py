"""Where a gallery is, by what the user wrote."""

from pathlib import Path

import pytest

from ubg.search.place import Place


def test_a_path_is_a_folder():
    assert Place.parse("some/gallery") == Place(Path("some/gallery"), None)
    Place.parse("nowhere").require()


@pytest.mark.parametrize("name", ["http://Host:19530", "HTTP://host:19530/"])
def test_an_address_has_a_folder_of_this_machine(tmp_path, monkeypatch, name):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    place = Place.parse(name)
    assert place == Place(tmp_path / "ubg/host_19530", "http://host:19530")
    with pytest.raises(ValueError, match=r"no gallery there; make one with `ubg index .*19530`"):
        place.require()


def test_a_server_has_galleries_by_name(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    place = Place.parse("http://Host:19530/Red_coats-2")
    assert place.folder == tmp_path / "ubg/host_19530_Red_coats-2"
    assert place.server == "http://host:19530"
    with pytest.raises(ValueError, match="--gallery http://host:19530/Red_coats-2`"):
        place.require()


@pytest.mark.parametrize(
    "name",
    [
        "http://",
        "http://host",
        "ftp://host:1",
        "http://../x:1",
        "http://a:b@host:1",
        "http://h:1/x/",
        "http://h:1//x",
        "http://h:1/x/y",
        "http://h:1/..",
        "http://h:1/a.b",
        "http://h:1/a%2Fb",
        "http://h:1/é",
        "http://h:1/a b",
        "http://h:1/a\n",
        "http://h:1/" + "x" * 65,
        "http://h:١/x",
    ],
)
def test_what_is_no_address_is_refused(name):
    with pytest.raises(ValueError, match="give one as http://host:19530"):
        Place.parse(name)
