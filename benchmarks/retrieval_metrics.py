"""Retrieval metrics beside the bare similarity product and beside a full argsort.

    python benchmarks/retrieval_metrics.py            # 6,156 captions, 3,074 images: the time
    python benchmarks/retrieval_metrics.py --large    # 19,848 x 19,848: the memory

The features are drawn: one centre per identity and noise around it. `noise` spans a model that
ranks well to one that knows nothing. Both give the metrics of an exact stable sort, or it fails,
and so do the ranks by two scores.
"""

import argparse
import resource
import statistics
import sys
import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from ubg.retrieval.metrics import bidirectional_metrics, summarise
from ubg.retrieval.ranking import bidirectional_ranks

DIMENSIONS, IDENTITIES, REPEATS = 512, 1000, 9
Features = NDArray[np.float32]
Pids = NDArray[np.int64]


def draw(count: int, noise: float, seed: int) -> tuple[Features, Pids]:
    """Return features [count, 512] and pids; every tenth row is the copy of another one."""
    centres = np.random.default_rng(0).standard_normal((IDENTITIES, DIMENSIONS), np.float32)
    generator = np.random.default_rng(seed)
    pids = np.sort(np.arange(count) % IDENTITIES)
    features = generator.standard_normal((count, DIMENSIONS), np.float32)
    features *= noise
    for start in range(0, count, 1000):
        features[start : start + 1000] += centres[pids[start : start + 1000]]
    features[::10] = features[generator.permutation(count)[: len(features[::10])]]
    return features, pids


def whole_features(features: Features) -> NDArray[np.float64]:
    """L2-normalised rows as whole multiples of 2^-26: their float64 products are exact."""
    rows = features.astype(np.float64)
    return np.rint(rows / np.sqrt((rows**2).sum(axis=1, keepdims=True)) * 2**26)


def argsort_metrics(
    similarity: NDArray[np.floating], query_pids: Pids, gallery_pids: Pids
) -> dict[str, float]:
    """Sort the whole gallery for every query, as evaluation code usually does."""
    order = np.argsort(-similarity, axis=1, kind="stable")
    matches = gallery_pids[order] == query_pids[:, None]
    relevant = matches.sum(axis=1)
    first = matches.argmax(axis=1) + 1
    last = matches.shape[1] - matches[:, ::-1].argmax(axis=1)
    precision = matches.cumsum(axis=1) / np.arange(1, matches.shape[1] + 1)
    return {
        "r1": 100 * float((first <= 1).mean()),
        "r5": 100 * float((first <= 5).mean()),
        "r10": 100 * float((first <= 10).mean()),
        "map": 100 * float(((precision * matches).sum(axis=1) / relevant).mean()),
        "minp": 100 * float((relevant / last).mean()),
    }


def argsort_both(
    similarity: NDArray[np.floating], text_pids: Pids, image_pids: Pids
) -> dict[str, dict[str, float]]:
    return {
        "t2i": argsort_metrics(similarity, text_pids, image_pids),
        "i2t": argsort_metrics(similarity.T, image_pids, text_pids),
    }


def draw_second_score(texts: int, images: int) -> NDArray[np.float32]:
    return 0.3 * np.random.default_rng(4).standard_normal((texts, images), np.float32)


def seconds(function: Callable[[], object]) -> float:
    time.sleep(0.1)  # the threads of a BLAS spin for a while after their last product
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def compare_time() -> None:
    print("6,156 captions x 3,074 images x 512, both directions; times relative to the product")
    product = np.empty((6156, 3074), np.float32)
    for noise in (2.0, 3.0, 1000.0):
        texts, text_pids = draw(6156, noise, 1)
        images, image_pids = draw(3074, noise, 2)
        arguments = texts, images, text_pids, image_pids

        found = bidirectional_metrics(*arguments)
        exact = argsort_both(whole_features(texts) @ whole_features(images).T, *arguments[2:])
        for direction in exact:
            np.testing.assert_allclose(
                list(found[direction].values()), list(exact[direction].values()), rtol=1e-12
            )

        added = draw_second_score(len(texts), len(images))
        similarity = (whole_features(texts) @ whole_features(images).T).astype(np.int64)
        similarity += np.rint(added * 2.0**26).astype(np.int64) << 26
        exact = argsort_both(similarity, text_pids, image_pids)
        ranks = bidirectional_ranks(*arguments, added)
        for ranking, direction in zip(ranks, exact.values(), strict=True):
            np.testing.assert_allclose(
                list(summarise(ranking).values()), list(direction.values()), rtol=1e-12
            )

        bare, counted, both = [], [], []
        for _ in range(REPEATS):
            bare.append(seconds(lambda: np.matmul(texts, images.T, out=product)))  # noqa: B023
            counted.append(seconds(lambda: bidirectional_metrics(*arguments)))  # noqa: B023
            both.append(seconds(lambda: bidirectional_ranks(*arguments, added)))  # noqa: B023
        sort = seconds(lambda: argsort_both(texts @ images.T, text_pids, image_pids))  # noqa: B023
        print(
            f"  t2i R@1 {found['t2i']['r1']:5.1f}: product alone 1.00 ({min(bare) * 1e3:.0f} ms), "
            f"metrics {min(counted) / min(bare):.2f} (of medians "
            f"{statistics.median(counted) / statistics.median(bare):.2f}), "
            f"by two scores {min(both) / min(bare):.2f}, "
            f"argsort {sort / min(bare):.1f}; equal to the exact sort"
        )


def measure_memory(count: int = 19_848, checked: int = 400) -> None:
    texts, text_pids = draw(count, 3.0, 1)
    images, image_pids = draw(count, 3.0, 2)
    bidirectional_metrics(texts[::500], images[::500], text_pids[::500], text_pids[::500])
    before = peak_bytes()
    start = time.perf_counter()
    directions = bidirectional_ranks(texts, images, text_pids, image_pids)
    duration = time.perf_counter() - start
    extra = peak_bytes() - before
    print(
        f"{count:,} x {count:,} x {DIMENSIONS}, both directions: {duration:.1f} s, "
        f"{extra / 2**30:.2f} GiB of extra memory; the similarities and one argsort would be "
        f"{count**2 * 12 / 2**30:.1f} GiB"
    )
    sides = (texts, text_pids), (images, image_pids)
    for ranking, queries, gallery in zip(directions, sides, sides[::-1], strict=True):
        rows = np.random.default_rng(3).choice(count, checked, replace=False)
        similarity = whole_features(queries[0][rows]) @ whole_features(gallery[0]).T
        order = np.argsort(-similarity, axis=1, kind="stable")
        for row, items in zip(rows, order, strict=True):
            expected = np.flatnonzero(gallery[1][items] == queries[1][row]) + 1
            ranks = ranking.ranks[ranking.starts[row] : ranking.starts[row + 1]]
            np.testing.assert_array_equal(ranks, expected)
    print(f"  ranks of {checked} queries a direction equal those of an exact stable sort")


def peak_bytes() -> int:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--large", action="store_true", help="memory at 19,848 x 19,848")
    measure_memory() if parser.parse_args().large else compare_time()
