"""The two sides of a retrieval, checked and in exact form, and the relevant pairs between them."""

import itertools
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

if TYPE_CHECKING:
    from torch import Tensor

Array: TypeAlias = "ArrayLike | Tensor"

MAX_THREADS = 8
MAX_ADDED = 16  # of a second score, whose exact form then fits 64 bits with the cosine's


@dataclass(frozen=True)
class Side:
    """Normalised features [N, D] in units of 2^-26, their float32 rounding, and pids [N]."""

    name: str
    codes: NDArray[np.int32]
    rounded: NDArray[np.float32]
    pids: NDArray[np.int64]


@dataclass(frozen=True)
class RelevantPairs:
    """Pairs of one identity, grouped by query, most similar first (ties: lower item first).

    Attributes:
        starts: [Q + 1], the pairs of query q are `starts[q]` to `starts[q + 1]`.
        items: [P], index in the gallery.
        exact: [P], similarity in units of 2^-52.
        low: [P], a float32 similarity below it belongs to a pair less similar than this one.
        high: [P], a float32 similarity above it belongs to a pair that is more similar.
    """

    starts: NDArray[np.int64]
    items: NDArray[np.int64]
    exact: NDArray[np.int64]
    low: NDArray[np.float32]
    high: NDArray[np.float32]


def read_side(name: str, features: Array, pids: Array, pool: ThreadPoolExecutor) -> Side:
    """Check features [N, D] and pids [N], and bring the features into exact form.

    Raises:
        ValueError: what is no array of numbers or has masked values, wrong shapes, pids that are
            no integers, or a feature that is not finite.
    """
    from ubg.retrieval.counting import encode_rows

    features_ND = _real_numbers(f"{name}_features", features)
    pids_N = _as_numpy(f"{name}_pids", pids)
    if features_ND.ndim != 2 or 0 in features_ND.shape:
        raise ValueError(f"{name}_features: shape {features_ND.shape}; give [rows, dimensions]")
    if pids_N.shape != features_ND.shape[:1] or pids_N.dtype.kind not in "iu":
        raise ValueError(
            f"{name}_pids: shape {pids_N.shape} of {pids_N.dtype} for {len(features_ND)} rows of "
            f"{name}_features; give one integer per row"
        )
    if pids_N.max() > np.iinfo(np.int64).max:
        raise ValueError(f"{name}_pids: {pids_N.max()} does not fit 64 bits; number them anew")
    features_ND = np.ascontiguousarray(_in_range(features_ND))
    codes_ND = np.empty(features_ND.shape, np.int32)
    rounded_ND = np.empty(features_ND.shape, np.float32)
    parts = split(len(features_ND))

    def encode(part: slice) -> int:
        return encode_rows(features_ND[part], codes_ND[part], rounded_ND[part])

    for part, broken in zip(parts, pool.map(encode, parts), strict=True):
        if broken >= 0:
            row = part.start + broken
            raise ValueError(f"{name}_features: row {row} is not finite; check the encoder")
    return Side(name, codes_ND, rounded_ND, pids_N.astype(np.int64))


def _in_range(features_ND: NDArray[Any]) -> NDArray[np.floating]:
    """The rows in float32 if they are, else in float64, in which their squares are normal too."""
    if features_ND.dtype == np.float32:
        return features_ND
    if features_ND.dtype.itemsize <= 8:
        features_ND = features_ND.astype(np.float64, copy=False)
    return _of_safe_length(features_ND).astype(np.float64, copy=False)


def _of_safe_length(features_ND: NDArray[np.floating]) -> NDArray[np.floating]:
    """The rows, at another length where their squares would be no normal float64."""
    largest_N = np.abs(features_ND).max(axis=1)
    unsafe_N = ((largest_N < 1e-140) & (largest_N > 0)) | (largest_N > 1e140)
    unsafe_N &= np.isfinite(largest_N)
    if not unsafe_N.any():
        return features_ND
    features_ND = features_ND.copy()
    features_ND[unsafe_N] /= largest_N[unsafe_N, None]
    return features_ND


def read_added(added_TI: "Array | None", texts: int, images: int) -> NDArray[np.float32]:
    """Check a second score [T, I]; [0, 0] for none.

    Raises:
        ValueError: what is no array of numbers or has masked values, wrong shape, or a score that
            is not finite or beyond `MAX_ADDED`.
    """
    if added_TI is None:
        return np.empty((0, 0), np.float32)
    added = _real_numbers("added_TI", added_TI)
    if added.shape != (texts, images):
        raise ValueError(
            f"added_TI: shape {added.shape} for {texts} texts and {images} images; give one score "
            "per pair"
        )
    low, high = float(added.min()), float(added.max())  # NaN where one is NaN
    if not (low >= -MAX_ADDED and high <= MAX_ADDED):
        raise ValueError(
            f"added_TI: scores from {low:g} to {high:g}; each must be finite and within "
            f"-{MAX_ADDED} to {MAX_ADDED}: give the second score a smaller weight"
        )
    return np.ascontiguousarray(added, np.float32)


def require_matches(queries: Side, gallery: Side) -> None:
    """Check that every query has somebody to find.

    Raises:
        ValueError: a query without a relevant item.
    """
    matched_Q = np.isin(queries.pids, gallery.pids)
    if not matched_Q.all():
        query = int(np.argmin(matched_Q))
        raise ValueError(
            f"{queries.name} {query} (pid {queries.pids[query]}) has no match in "
            f"{gallery.name}_pids; remove it or complete the {gallery.name} side"
        )


def relevant_pairs(queries: Side, gallery: Side, added_QG: NDArray[np.float32]) -> RelevantPairs:
    """Pair each query with the gallery items of its identity, of which there may be none.

    Args:
        queries: they ask.
        gallery: they are ranked.
        added_QG: second score of each pair; [0, 0] for none.

    Raises:
        ValueError: sides of different dimension.
    """
    from ubg.retrieval.counting import UNITS, sort_pairs

    dimensions = queries.codes.shape[1]
    if dimensions != gallery.codes.shape[1]:
        raise ValueError(
            f"{queries.name}_features have {dimensions} dimensions, {gallery.name}_features "
            f"{gallery.codes.shape[1]}; use one model for both"
        )
    by_pid_G = np.argsort(gallery.pids, kind="stable")
    sorted_pids_G = gallery.pids[by_pid_G]
    first_Q = np.searchsorted(sorted_pids_G, queries.pids, "left")
    relevant_Q = np.searchsorted(sorted_pids_G, queries.pids, "right") - first_Q
    starts = np.concatenate(([0], np.cumsum(relevant_Q)))
    query_P = np.repeat(np.arange(len(relevant_Q)), relevant_Q)
    items_P = by_pid_G[np.arange(starts[-1]) + (first_Q - starts[:-1])[query_P]]
    exact_P = np.empty(len(items_P), np.int64)
    sort_pairs(queries.codes, gallery.codes, added_QG, starts, items_P, exact_P)

    similarity_P = exact_P / UNITS**2
    if added_QG.size == 0:
        error = _product_error(dimensions)
    else:
        error = _sum_error(dimensions, float(max(-added_QG.min(), added_QG.max())))
    low_P = np.nextafter((similarity_P - error).astype(np.float32), np.float32(-np.inf))
    high_P = np.nextafter((similarity_P + error).astype(np.float32), np.float32(np.inf))
    return RelevantPairs(starts, items_P, exact_P, low_P, high_P)


def thread_count() -> int:
    """Threads for the compiled loops: the cores of this process, or NUMBA_NUM_THREADS."""
    from numba import config

    return min(config.NUMBA_NUM_THREADS, MAX_THREADS)


def split(length: int) -> list[slice]:
    """Cut `range(length)` into one slice per thread, of nearly equal length."""
    edges = np.linspace(0, length, thread_count() + 1).astype(int).tolist()
    return [slice(start, stop) for start, stop in itertools.pairwise(edges)]


def _product_error(dimensions: int) -> float:
    """Largest error of a float32 dot product of two unit rows, whatever the order of its sums.

    Higham, "Accuracy and Stability of Numerical Algorithms", section 3.1: n roundings, one of each
    factor and one for each of D operations, amount to at most n u / (1 - n u) of the sum of the
    magnitudes, which here is at most the product of the lengths.
    """
    roundings = (dimensions + 2) * 2.0**-24
    return float(roundings / (1 - roundings) * _largest_product(dimensions))


def _sum_error(dimensions: int, largest_added: float) -> float:
    """Largest error of the float32 sum of such a product and a second score.

    To that of the product comes that of the score, half a unit of 2^-26, and that of the sum, a
    rounding by at most u of what it is at most.
    """
    product_error = _product_error(dimensions)
    largest_sum = _largest_product(dimensions) + product_error + largest_added
    return product_error + 2.0**-27 + 2.0**-24 * largest_sum


def _largest_product(dimensions: int) -> float:
    """Of two unit rows whose values were rounded to units of 2^-26."""
    return float((1 + np.sqrt(dimensions) * 2.0**-27) ** 2)


def _real_numbers(name: str, values: Array) -> NDArray[Any]:
    numbers = _as_numpy(name, values)
    if numbers.dtype.kind not in "fiu":
        raise ValueError(f"{name}: {numbers.dtype} are no numbers; give real ones")
    return numbers


def _as_numpy(name: str, values: Array) -> NDArray[Any]:
    """An array, or one of what a dense tensor holds.

    Raises:
        ValueError: some values are masked, or there is no such array.
    """
    rows = values if isinstance(values, list | tuple) else [values]
    if any(np.ma.is_masked(row) for row in rows):
        raise ValueError(f"{name}: some values are masked; fill them, or leave their rows out")
    try:
        return _plain(values)
    except (RuntimeError, TypeError, ValueError) as error:
        raise ValueError(
            f"{name}: a {type(values).__name__} that is no dense array; give a NumPy array or a "
            "dense tensor"
        ) from error


def _plain(values: Array) -> NDArray[Any]:
    if "torch" not in sys.modules:
        return np.asarray(values)
    import torch

    if not isinstance(values, torch.Tensor):
        return np.asarray(values)
    values = values.detach().cpu()
    if values.is_floating_point() and values.itemsize < 4:
        values = values.float()  # NumPy has no bfloat16
    return values.numpy(force=True)  # also of a view that is to be negated
