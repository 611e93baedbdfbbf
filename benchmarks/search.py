"""Search beside the bare work that it cannot avoid, as ratios of one run.

    python benchmarks/search.py                   # 1,000,000 vectors of 256: exact and approximate
    python benchmarks/search.py --rows 200000
    python benchmarks/search.py --index MODEL     # 5,000 drawn crops: indexing beside encoding
    python benchmarks/search.py --again MODEL     # 100,000 files: a second run without changes

The vectors are drawn: centres, and noise around them in a few directions, as embeddings have. The
exact results must equal those of a full sort of the exact scores, or it fails.
"""

import argparse
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import numpy as np
from numpy.typing import NDArray
from PIL import Image

DIMENSIONS, CENTRES, DIRECTIONS, TOP, QUERIES, REPEATS = 256, 20_000, 24, 10, 50, 7
Vectors = NDArray[np.float32]


def draw(rows: int, seed: int) -> Vectors:
    """Unit vectors [rows, 256] around common centres, in two steps from coarse to fine."""
    fixed = np.random.default_rng(0)
    centres = fixed.standard_normal((CENTRES, DIRECTIONS), np.float32)
    spread = fixed.standard_normal((DIRECTIONS, DIMENSIONS), np.float32)
    generator = np.random.default_rng(seed)
    vectors = np.empty((rows, DIMENSIONS), np.float32)
    for start in range(0, rows, 50_000):
        some = vectors[start : start + 50_000]
        inner = centres[generator.integers(0, CENTRES, len(some))]
        inner = inner + 0.5 * generator.standard_normal(inner.shape, np.float32)
        some[:] = inner @ spread + 0.2 * generator.standard_normal(some.shape, np.float32)
        some /= np.linalg.norm(some, axis=1, keepdims=True)
    return vectors


def whole(vectors: Vectors) -> NDArray[np.float64]:
    """Rows as whole multiples of 2^-26: their float64 products are exact."""
    rows = vectors.astype(np.float64)
    return np.rint(rows / np.sqrt((rows**2).sum(axis=1, keepdims=True)) * 2**26)


def seconds(function: Callable[[], object], repeats: int = REPEATS) -> float:
    """The fastest of several runs."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return min(times)


def compare_search(rows: int, folder: Path) -> None:
    """Exact and approximate search over a memory map beside the bare product with it."""
    from ubg.search.engines.contract import SPARE
    from ubg.search.engines.faiss_ivf import FaissIndex
    from ubg.search.rows import RowFile
    from ubg.search.topk import Scored, best_of, exact_top

    file = RowFile(folder / "vectors", np.dtype(np.float32), DIMENSIONS)
    file.write(0, draw(rows, 1))
    mapped, queries = file.read(rows), draw(QUERIES, 2)
    everything, product = np.ones(rows, bool), np.empty(rows, np.float32)
    scored = Scored(mapped)

    singles = [queries[query : query + 1] for query in range(QUERIES)]
    exact = [exact_top(scored, one, None, everything, TOP)[0] for one in singles]
    for query in range(3):
        similarity = np.concatenate(
            [
                whole(mapped[start : start + 50_000]) @ whole(queries[query : query + 1])[0]
                for start in range(0, rows, 50_000)
            ]
        )
        expected = np.argsort(-similarity, kind="stable")[:TOP]
        np.testing.assert_array_equal(exact[query][0], expected)

    one = singles[0]
    bare = seconds(lambda: np.matmul(mapped, one[0], out=product))
    found = seconds(lambda: exact_top(scored, one, None, everything, TOP))
    print(
        f"{rows:,} x {DIMENSIONS}, one query: product alone 1.00 ({bare * 1e3:.1f} ms), exact top "
        f"{TOP} {found / bare:.2f}; equal to the exact sort"
    )

    start = time.perf_counter()
    index = FaissIndex.build(np.arange(rows, dtype=np.int64), mapped, 0.98)
    built = time.perf_counter() - start
    index.save(folder, 0)
    index = FaissIndex.open(folder, 0)

    def near(one: Vectors) -> NDArray[np.int64]:
        """As search does it: what the index finds, scored by the vectors themselves."""
        rows = index.search(one, TOP + SPARE)[0].ids
        return best_of(scored, np.sort(rows), one[0], None, TOP)[0]

    hits = [len(np.intersect1d(a, near(one))) for (a, _), one in zip(exact, singles, strict=True)]
    approximate = seconds(lambda: [near(one) for one in singles]) / QUERIES
    # Anew, as the machine may be in another state minutes after the first time.
    found = seconds(lambda: exact_top(scored, one, None, everything, TOP))
    print(
        f"approximate: {found / approximate:.1f} times as fast as the exact one "
        f"({approximate * 1e3:.2f} ms), recall@{TOP} {sum(hits) / TOP / QUERIES:.3f} of {QUERIES} "
        f"other queries; {index.index.nprobe} of {index.index.nlist:,} cells, built in "
        f"{built:.0f} s"
    )


def draw_crops(folder: Path, count: int, folders: int = 50) -> None:
    """JPEGs of 64 x 192 pixels, each another."""
    generator = np.random.default_rng(0)
    for place in range(count):
        path = folder / f"{place % folders:03}/{place:06}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        small = generator.integers(0, 256, (12, 4, 3), np.uint8)
        Image.fromarray(small).resize((64, 192)).save(path)


def compare_indexing(model: Path, folder: Path, count: int = 5000) -> None:
    """Indexing beside the encoding of the same files by the library."""
    import ubg
    from ubg.search.gallery import Gallery
    from ubg.search.indexing import Request, index

    draw_crops(folder / "crops", count)
    paths = sorted((folder / "crops").rglob("*.jpg"))
    trained = ubg.load(model)
    trained.encode_image(paths[:64])
    encoding, indexing = [], []
    for turn in range(REPEATS):
        start = time.perf_counter()
        vectors = trained.encode_image(paths).cpu().numpy()
        encoding.append(time.perf_counter() - start)
        start = time.perf_counter()
        index(folder / f"gallery{turn}", Request([folder / "crops"], model))
        indexing.append(time.perf_counter() - start)
        with Gallery.open(folder / f"gallery{turn}") as gallery:
            np.testing.assert_allclose(gallery.snapshot.vectors_ND, vectors, atol=1e-5)
    # A machine that is now faster and now slower is so for both of a turn.
    ratios = sorted(both / alone for both, alone in zip(indexing, encoding, strict=True))
    print(
        f"{count:,} crops: encoding alone 1.00 ({median(encoding):.1f} s), indexing "
        f"{median(ratios):.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f} in {REPEATS} turns), loading "
        "of the model included; the same vectors"
    )


def compare_second_run(model: Path, folder: Path, count: int = 100_000) -> None:
    """A run without changes beside the walk of the tree; the gallery is filled without a model."""
    from ubg.search.database import create_database, writing
    from ubg.search.indexing import Request, index
    from ubg.search.manifest import FORMAT, Manifest, model_fingerprint, write_manifest
    from ubg.search.walk import walk

    crops, gallery = folder / "crops", folder / "gallery"
    for place in range(count):
        path = crops / f"{place % 500:03}/{place:06}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    gallery.mkdir()
    create_database(gallery)
    manifest = Manifest(
        format=FORMAT,
        model=str(model.resolve()),
        fingerprint=model_fingerprint(model),
        dimension=DIMENSIONS,
        codes=None,
    )
    write_manifest(gallery, manifest)
    with writing(gallery) as database:
        database.execute("INSERT INTO folders VALUES (1, ?, '[]', 0)", (str(crops.resolve()),))
        database.executemany(
            "INSERT INTO images(folder, path, size, modified_ns, hash, row, width, height) VALUES "
            "(1, ?, ?, ?, ?, ?, 64, 192)",
            (
                (found.path, found.size, found.modified_ns, f"{row:064x}", row)
                for row, found in enumerate(walk(crops, ()).files)
            ),
        )
    walked = seconds(lambda: walk(crops, ()), 3)
    report = None

    def again() -> None:
        nonlocal report
        report = index(gallery, Request([]))

    whole_run = seconds(again, 3)
    assert report is not None
    assert report.unchanged == count
    print(
        f"{count:,} files without changes: the walk {walked:.2f} s, the run {whole_run:.2f} s, "
        f"{whole_run - walked:.2f} s more"
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--index", type=Path, metavar="MODEL")
    parser.add_argument("--again", type=Path, metavar="MODEL")
    arguments = parser.parse_args()
    place = Path(tempfile.mkdtemp(prefix="ubg-search-"))
    try:
        if arguments.index:
            compare_indexing(arguments.index, place)
        elif arguments.again:
            compare_second_run(arguments.again, place)
        else:
            compare_search(arguments.rows, place)
    finally:
        shutil.rmtree(place)
