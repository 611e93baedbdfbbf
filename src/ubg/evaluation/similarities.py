"""How far apart the cosine similarities of positive and negative text-image pairs lie."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ubg.figures.style import BLUE, ORANGE, figure

BINS = 200
CHUNK_PAIRS = 2_000_000


@dataclass(frozen=True)
class SimilarityCounts:
    """Text-image pairs by cosine similarity, in `BINS` equal bins over -1 to 1.

    Attributes:
        positives: [BINS], pairs of the same identity.
        negatives: [BINS], all other pairs.
    """

    positives: NDArray[np.int64]
    negatives: NDArray[np.int64]

    @property
    def overlap(self) -> float:
        """Area that the two densities share, 0 (apart) to 1 (alike)."""
        return float(np.minimum(_shares(self.positives), _shares(self.negatives)).sum())


def count_similarities(
    text_features: NDArray[Any],
    image_features: NDArray[Any],
    text_pids: NDArray[Any],
    image_pids: NDArray[Any],
) -> SimilarityCounts:
    """Count every text-image pair once, chunk by chunk of the similarity matrix.

    Args:
        text_features: [T, D], rows of any length.
        image_features: [I, D], rows of any length.
        text_pids: [T].
        image_pids: [I].
    """
    texts, images = _normalised(text_features), _normalised(image_features)
    every = np.zeros(BINS, np.int64)
    positives = np.zeros(BINS, np.int64)
    rows = max(1, CHUNK_PAIRS // len(images))
    for start in range(0, len(texts), rows):
        chunk = slice(start, start + rows)
        similarity_TI = texts[chunk] @ images.T
        bins_TI = ((similarity_TI + 1) * (BINS / 2)).astype(np.int64).clip(0, BINS - 1)
        every += np.bincount(bins_TI.ravel(), minlength=BINS)
        same_TI = text_pids[chunk, None] == image_pids[None, :]
        positives += np.bincount(bins_TI[same_TI], minlength=BINS)
    return SimilarityCounts(positives, every - positives)


def median(counts: NDArray[np.int64]) -> float:
    """Median similarity of binned pairs [BINS], linear within its bin; NaN where there are none."""
    half = counts.sum() / 2
    if half == 0:
        return float("nan")
    cumulative = np.cumsum(counts)
    place = int(np.searchsorted(cumulative, half))
    within = 1 - (cumulative[place] - half) / counts[place]
    return float(-1 + (place + within) * 2 / BINS)


def draw_similarities(
    path: str | Path, system: str, dataset: str, counts: SimilarityCounts
) -> None:
    """Draw the two densities with their medians and their overlap.

    Args:
        path: the PNG to write.
        system: its name.
        dataset: the data set's label, and which split.
        counts: of all pairs, see `count_similarities`.
    """
    edges = np.linspace(-1, 1, BINS + 1)
    sides = (
        ("different identity", counts.negatives, ORANGE, -1),
        ("same identity", counts.positives, BLUE, 1),
    )
    with figure(path, 9, 5) as drawing:
        axes = drawing.add_subplot()
        for name, pairs, colour, side in sides:
            density = _shares(pairs) * BINS / 2
            middle = median(pairs)
            label = f"{name}: {pairs.sum():,} pairs, median {middle:z.2f}"
            axes.stairs(density, edges, fill=True, color=colour, alpha=0.35)
            axes.stairs(density, edges, color=colour, linewidth=1.8, label=label)
            axes.axvline(middle, color=colour, linestyle="--", linewidth=1.4)
            axes.annotate(
                f"{middle:z.2f}",
                (middle, 1),
                xycoords=("data", "axes fraction"),
                xytext=(4 * side, -2),
                textcoords="offset points",
                ha="left" if side > 0 else "right",
                va="top",
            )
        axes.plot([], [], " ", label=f"overlap of the two densities {100 * counts.overlap:.1f} %")
        axes.set_xlim(*_occupied(edges, counts))
        axes.set_ylim(bottom=0)
        axes.margins(y=0.12)
        axes.grid(axis="x", visible=False)
        axes.set_xlabel("cosine similarity of caption and image")
        axes.set_ylabel("density")
        axes.set_title(f"{system}: similarities on {dataset}")
        drawing.legend(loc="outside lower left")


def _normalised(features: NDArray[Any]) -> NDArray[np.float32]:
    features = np.asarray(features, np.float32)
    return features / np.linalg.norm(features, axis=1, keepdims=True)


def _shares(counts: NDArray[np.int64]) -> NDArray[np.float64]:
    return counts / max(1, counts.sum())


def _occupied(edges: NDArray[np.float64], counts: SimilarityCounts) -> tuple[float, float]:
    used = np.flatnonzero(counts.positives + counts.negatives)
    return max(-1.0, edges[used[0]] - 0.02), min(1.0, edges[used[-1] + 1] + 0.02)
