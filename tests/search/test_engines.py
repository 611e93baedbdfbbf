"""One contract over all engines."""

import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from tiny_gallery import Stub, draw_folder, draw_picture, save_model

import ubg
from ubg.search.accelerating import open_file
from ubg.search.command import main
from ubg.search.engines.array import ArrayIndex
from ubg.search.engines.contract import SPARE
from ubg.search.engines.faiss_ivf import PER_CELL, FaissIndex
from ubg.search.engines.milvus import MilvusIndex
from ubg.search.gallery import Gallery
from ubg.search.indexing import Request, index
from ubg.search.rows import RowFile

COUNT, DIMENSION = 400, 16
# Beside the environment's packages: with the server's PyArrow among them, pandas keeps texts in
# another way.
LITE = Path(sys.prefix) / "milvus"


@pytest.fixture
def vectors():
    drawn = np.random.default_rng(0).standard_normal((COUNT + 10, DIMENSION))
    return (drawn / np.linalg.norm(drawn, axis=1, keepdims=True)).astype(np.float32)


@pytest.fixture
def ids():
    return np.arange(COUNT, dtype=np.int64) * 3 + 1


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """Milvus Lite, which speaks the server's protocol."""
    pytest.importorskip("pymilvus")
    if not (LITE / "milvus_lite").exists():
        pytest.skip(f"no server in {LITE}: `make setup` puts it there")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "milvus_lite", "server", "--host", "127.0.0.1"]
    options = ["--port", str(port), "--data-dir", tmp_path_factory.mktemp("milvus")]
    process = subprocess.Popen(
        [*command, *options],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=os.environ | {"PYTHONPATH": str(LITE)},
    )
    for _ in range(600):
        with socket.socket() as tried:
            if tried.connect_ex(("127.0.0.1", port)) == 0:
                break
        assert process.poll() is None
        time.sleep(0.2)
    yield f"http://127.0.0.1:{port}"
    process.terminate()
    process.wait()


@pytest.fixture(params=["array", "faiss", "milvus"])
def engine(request, tmp_path, vectors, ids):
    """With the first vectors; FAISS looks into all cells, and rounds alone."""
    match request.param:
        case "array":
            index = ArrayIndex(RowFile(tmp_path / "rows", np.dtype(np.float32), DIMENSION))
            index.add(ids, vectors[:COUNT])
        case "faiss":
            pytest.importorskip("faiss")
            index = FaissIndex.build(ids, vectors[:COUNT], recall=1)
            index.index.nprobe = index.index.nlist
        case _:
            name = f"g{abs(hash(request.node.name))}"
            index = MilvusIndex(request.getfixturevalue("server"), name, DIMENSION, "FLAT")
            index.add(ids, vectors[:COUNT])
    return index


def nearest(vectors, ids, queries, top, allowed):
    order = np.argsort(-(queries @ vectors.T), axis=1, kind="stable")
    return [[int(i) for i in ids[row] if int(i) in allowed][:top] for row in order]


def found(engine, queries, top, allowed=None):
    for ids, scores in engine.search(queries, top, allowed):
        assert (np.diff(scores) <= 0).all()
        assert len(ids) == len(scores)
    return [ids.tolist() for ids, _ in engine.search(queries, top, allowed)]


def scored(engine, vectors, queries, top, allowed=None):
    """As search takes it: of some more than are wanted the nearest, by their own vectors."""
    some = []
    for query, (ids, _) in zip(queries, engine.search(queries, top + SPARE, allowed), strict=True):
        order = np.lexsort((ids, -(vectors[(ids - 1) // 3] @ query)))
        some.append(ids[order][:top].tolist())
    return some


def test_the_nearest_come_first(engine, vectors, ids):
    queries, rounds = vectors[COUNT:], isinstance(engine, FaissIndex)
    assert engine.count() == COUNT
    assert engine.newest() == ids[-1]
    expected = nearest(vectors[:COUNT], ids, queries, 7, set(ids.tolist()))
    assert scored(engine, vectors, queries, 7) == expected
    assert rounds or found(engine, queries, 7) == expected
    ((_, scores), *_) = engine.search(queries[:1], 1)
    best = (vectors[:COUNT] @ queries[0]).max()
    assert scores[0] == pytest.approx(best, abs=0.01 if rounds else 1e-6)


def test_only_what_is_allowed_is_found(engine, vectors, ids):
    queries, allowed = vectors[COUNT:], ids[::7]
    expected = nearest(vectors[:COUNT], ids, queries, 100, set(allowed.tolist()))
    assert scored(engine, vectors, queries, 100, allowed) == expected
    assert found(engine, queries, 5, ids[:0]) == [[]] * len(queries)


def test_what_is_removed_is_not_found_and_what_is_added_is(engine, vectors, ids):
    engine.remove(ids[:50])
    engine.remove(np.array([99_999]))
    engine.add(np.array([5000, 5001]), vectors[COUNT : COUNT + 2])
    assert engine.count() == COUNT - 48
    assert engine.newest() == 5001
    assert found(engine, vectors[COUNT : COUNT + 1], 1) == [[5000]]
    everything = {i for row in found(engine, vectors[:5], COUNT) for i in row}
    assert everything == {*ids[50:].tolist(), 5000, 5001}


def test_equal_scores_go_to_the_lower_id(engine, vectors):
    engine.add(np.arange(5000, 5020), np.repeat(vectors[COUNT : COUNT + 1], 20, axis=0))
    ((*nearest, _),) = found(engine, vectors[COUNT : COUNT + 1], 21)
    assert nearest == list(range(5000, 5020))


def test_of_equal_scores_the_array_finds_the_lowest_ids(vectors, ids, tmp_path):
    same = np.repeat(vectors[:1], 20, axis=0)
    exact = ArrayIndex(RowFile(tmp_path / "same", np.dtype(np.float32), DIMENSION))
    exact.add(ids[:20], same)
    assert found(exact, vectors[:1], 5) == [ids[:5].tolist()]


def test_recall_is_measured_and_reached(vectors, ids):
    pytest.importorskip("faiss")
    index = FaissIndex.build(ids, vectors[:COUNT], recall=0.9)
    assert 0.9 <= index.recall <= 1
    assert index.index.nprobe < index.index.nlist
    similarity = vectors[:COUNT] @ vectors[:COUNT].T
    np.fill_diagonal(similarity, -np.inf)  # an image is not a neighbour of its own
    nearest = ids[np.argsort(-similarity, axis=1)[:, :10]]
    found = index.search(vectors[:COUNT], 11 + SPARE)
    hits = [np.isin(own, near.ids).sum() for own, near in zip(nearest, found, strict=True)]
    assert index.recall == sum(hits) / (10 * COUNT)


@pytest.mark.parametrize("count", [1, 10, 38, 100])
def test_few_images_are_searched_without_a_warning(vectors, ids, capfd, count):
    pytest.importorskip("faiss")
    index = FaissIndex.build(ids[:count], vectors[:count], recall=1)
    assert capfd.readouterr() == ("", "")
    assert (index.count(), index.recall) == (count, 1 if count > 1 else 0)


def test_a_number_takes_a_byte_in_the_file(tmp_path, vectors, ids):
    pytest.importorskip("faiss")
    FaissIndex.build(ids, vectors[:COUNT], recall=0.9).save(tmp_path, 0)
    for_ids, for_cells = 8 * COUNT, 4 * DIMENSION * (COUNT // PER_CELL + 2)
    assert (tmp_path / "index.0.faiss").stat().st_size < COUNT * DIMENSION + for_ids + 2 * for_cells


def test_a_file_finds_as_what_it_was_saved_from(tmp_path, vectors, ids):
    pytest.importorskip("faiss")
    index = FaissIndex.build(ids, vectors[:COUNT], recall=0.9)
    index.save(tmp_path, 3)
    opened = FaissIndex.open(tmp_path, 3)
    assert (opened.count(), opened.newest()) == (COUNT, ids[-1])
    assert found(opened, vectors[COUNT:], 5) == found(index, vectors[COUNT:], 5)


def test_a_damaged_file_is_refused(tmp_path):
    pytest.importorskip("faiss")
    (tmp_path / "index.0.faiss").write_bytes(b"nothing" * 99)
    with pytest.raises(ValueError, match="damaged"):
        FaissIndex.open(tmp_path, 0)
    os.mkfifo(tmp_path / "index.1.faiss")
    with pytest.raises(ValueError, match=r"index\.1\.faiss: is not a file"):
        FaissIndex.open(tmp_path, 1)


VARIANTS = int(os.environ.get("UBG_HOSTILE", "60"))


def test_a_file_damaged_anywhere_is_read_or_refused(tmp_path, vectors, ids):
    """It may name any number of numbers, and no more than its own size is asked for."""
    pytest.importorskip("faiss")
    FaissIndex.build(ids, vectors[:COUNT], recall=0.9).save(tmp_path, 0)
    path = tmp_path / "index.0.faiss"
    sound, generator, refused = path.read_bytes(), np.random.default_rng(0), 0
    many = [b"\xff" * 7 + b"\x7f", b"\xff" * 8]
    for _ in range(VARIANTS):
        data = bytearray(sound)
        place = int(generator.integers(min(len(data), 400)))
        if generator.random() < 0.3:
            del data[place:]
        else:
            size = generator.choice([*many, b"\0\0\0\0\1\0\0\0", b"\0" * 8])
            data[place : place + 8] = size.ljust(8, b"\0")
        path.unlink()  # what is mapped stays as it was
        path.write_bytes(data)
        try:
            opened = FaissIndex.open(tmp_path, 0)
        except ValueError as error:
            assert "index.0.faiss: is damaged" in str(error)  # noqa: PT017
            refused += 1
            continue
        if opened.index.d == DIMENSION:
            opened.search(vectors[COUNT:], 5)
    assert refused


@pytest.mark.parametrize("probes", [0, COUNT, 2**63])
def test_a_file_that_looks_into_no_cells_or_more_than_there_are_is_refused(
    tmp_path, vectors, ids, probes
):
    """FAISS takes the last of these for a number below zero, and fails in a search."""
    pytest.importorskip("faiss")
    built = FaissIndex.build(ids, vectors[:COUNT], recall=0.9)
    built.index.nprobe = probes
    built.save(tmp_path, 0)
    with pytest.raises(ValueError, match=r"index\.0\.faiss: is damaged"):
        FaissIndex.open(tmp_path, 0)


def test_a_file_of_other_vectors_is_refused(tmp_path, monkeypatch):
    pytest.importorskip("faiss")
    monkeypatch.setattr(ubg, "load", Stub)
    draw_folder(tmp_path / "imgs", 3)
    index(tmp_path / "gallery", Request([tmp_path / "imgs"], save_model(tmp_path)))
    gallery = Gallery.open(tmp_path / "gallery")
    FaissIndex.build(np.arange(3), np.eye(3, dtype=np.float32), 0.9).save(gallery.path, 0)
    with pytest.raises(ValueError, match="vectors of 3 numbers, where the gallery's have 12"):
        open_file(gallery)


def test_a_server_stands_in_place_of_a_folder(server, tmp_path, monkeypatch, capsys):
    """Indexed, searched, changed and indexed again, by its address alone."""
    monkeypatch.setattr(ubg, "load", Stub)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    draw_folder(tmp_path / "imgs", 20)
    save_model(tmp_path)

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["ubg", *arguments])
        main()
        return capsys.readouterr().out

    def found(gallery):
        page = json.loads(run("search", gallery, "a red coat", "--json", "--top", "50"))
        return [(result["path"], result["score"]) for result in page["results"]]

    run("index", "imgs", "--model", "model", "--gallery", server)
    run("index", "imgs", "--model", "model", "--gallery", "folder")
    assert len(found(server)) == 20
    assert found(server) == found("folder")
    draw_picture(tmp_path / "imgs/cam0/new.png", 77)
    (tmp_path / "imgs/cam1/001.png").unlink()
    for gallery in (server, "folder"):
        run("index", "--gallery", gallery)
    assert found(server) == found("folder")
    run("index", "imgs/cam0", "--model", "model", "--gallery", f"{server}/other")
    assert {path for path, _ in found(f"{server}/other")} == {
        path.name for path in (tmp_path / "imgs/cam0").iterdir()
    }
    assert found(server) == found("folder")
    (kept,) = (tmp_path / "home/ubg").glob("127.0.0.1_*[0-9]")
    name = json.loads((kept / "collection.json").read_text())["name"]
    assert MilvusIndex(server, f"{name}0", DIMENSION).count() == 20
