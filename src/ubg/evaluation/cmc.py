"""Cumulative match characteristic: the share of queries with a relevant item at rank 1 to R."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ubg.figures.style import BLUE, FAINT, ORANGE, figure

# Label, colour, line and marker of each curve.
LOOKS = {
    "t2i": ("text to image", BLUE, "-", "o"),
    "i2t": ("image to text", "#444444", "--", "s"),
    "t2i_generative": ("text to image, both scores", ORANGE, "-", "o"),
    "i2t_generative": ("image to text, both scores", "#cc79a7", "--", "s"),
}
MARKED_RANKS = (1, 5, 10)


def chance_cmc(
    query_pids: NDArray[Any], gallery_pids: NDArray[Any], max_rank: int
) -> NDArray[np.float64]:
    """CMC expected of a gallery in random order.

    A query with m of G gallery items relevant misses all of them up to rank k with probability
    (G-m)/G * (G-m-1)/(G-1) * ... over k factors (drawing without replacement).

    Args:
        query_pids: [Q].
        gallery_pids: [G].
        max_rank: R.

    Returns:
        [R], percent, mean over the queries.
    """
    pids, counts = np.unique(gallery_pids, return_counts=True)
    place = np.searchsorted(pids, query_pids).clip(max=len(pids) - 1)
    relevant = np.where(pids[place] == query_pids, counts[place], 0)
    relevant, queries = np.unique(relevant, return_counts=True)

    size, drawn = len(gallery_pids), np.arange(max_rank)
    misses = np.maximum(size - relevant[:, None] - drawn, 0) / np.maximum(size - drawn, 1)
    return 100 * np.average(1 - np.cumprod(misses, axis=1), axis=0, weights=queries)


def cmc_records(curves: Mapping[str, NDArray[np.float64]]) -> list[dict[str, float]]:
    """The curves as DVC plots them, one record per rank: `{"rank", "t2i", "i2t"}`.

    A column per curve: DVC tells lines apart by file and column, not by the value of a field.
    """
    ranks = range(1, len(curves["t2i"]) + 1)
    return [
        {"rank": rank} | {name: round(float(curve[rank - 1]), 4) for name, curve in curves.items()}
        for rank in ranks
    ]


def draw_cmc(
    path: str | Path,
    system: str,
    dataset: str,
    curves: Mapping[str, NDArray[np.float64]],
    chance: Mapping[str, NDArray[np.float64]],
) -> None:
    """Draw the curves over a logarithmic rank axis, with chance level and R@1/5/10 marked.

    Args:
        path: the PNG to write.
        system: its name.
        dataset: the data set's label, and which split.
        curves: `"t2i"` and `"i2t"`, each [R], percent at rank 1 to R; and those of `LOOKS` by both
            scores, where there are two.
        chance: `"t2i"` and `"i2t"` of a random order, see `chance_cmc`.
    """
    ranks = np.arange(1, len(curves["t2i"]) + 1)
    with figure(path, 9, 5.6) as drawing:
        axes = drawing.add_subplot()
        for name, curve in curves.items():
            label, colour, line, marker = LOOKS[name]
            marked = [rank for rank in MARKED_RANKS if rank <= len(curve)]
            values = "   ".join(f"R@{rank} {curve[rank - 1]:.1f}" for rank in marked)
            axes.plot(
                ranks,
                curve,
                linestyle=line,
                color=colour,
                marker=marker,
                markersize=7,
                markevery=[rank - 1 for rank in marked],
                label=f"{label}   {values}",
                clip_on=False,
                zorder=3,
            )
            if name in chance:
                axes.plot(ranks, chance[name], color=colour, linestyle=":", linewidth=1.4)
        axes.plot([], [], color=FAINT, linestyle=":", linewidth=1.4, label="chance (random order)")

        axes.set_xscale("log")
        ticks = [rank for rank in (1, 2, 5, 10, 20, 50, 100) if rank <= len(ranks)]
        axes.set_xticks(ticks, [str(rank) for rank in ticks])
        axes.minorticks_off()
        axes.set_xlim(1, max(len(ranks), 2))
        axes.set_ylim(0, 100)
        axes.set_xlabel("rank k")
        axes.set_ylabel("R@k: queries with a match up to rank k, %")
        axes.set_title(f"{system}: CMC on {dataset}")
        drawing.legend(loc="outside lower left")
