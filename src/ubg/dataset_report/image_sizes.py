"""The sizes of a data set's images, as their headers have them."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ubg.data.annotations.image_folder import check_links
from ubg.data.images.decode import read_header
from ubg.data.prepared import NO_IMAGE
from ubg.figures.style import BLUE, INK, ORANGE, figure
from ubg.params import Image
from ubg.runtime.files import replace_folder
from ubg.runtime.progress import progress_bar

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

LOWEST_ASPECT, HIGHEST_ASPECT = 0.5, 6.0


@dataclass(frozen=True)
class Sizes:
    """What the headers say of N images.

    Attributes:
        paths: [N], relative.
        widths, heights: [N], pixels.
        formats: how many of each.
        broken: how many more could not be read.
    """

    paths: list[str]
    widths: NDArray[np.int64]
    heights: NDArray[np.int64]
    formats: dict[str, int]
    broken: int


def write_image_report(
    table: "pd.DataFrame", images: Path, wanted: Image, dataset: str, output: Path
) -> None:
    """Write `sizes.png` and `report.md` to `output`.

    Args:
        table: with `image_id` and `image_path`.
        images: the folder that the paths are relative to.
        wanted: the size that they are packed in.
        dataset: the data set's label.
        output: folder to write, atomically.
    """
    pictured = table[table["image_id"] != NO_IMAGE].drop_duplicates("image_id")
    sizes = read_sizes(pictured["image_path"].tolist(), images)
    with replace_folder(output) as folder:
        draw_sizes(folder / "sizes.png", dataset, sizes, wanted)
        (folder / "report.md").write_text(markdown(dataset, sizes, wanted), encoding="utf-8")
    print(f"{output}: sizes of {len(sizes.paths):,} images")


def read_sizes(paths: Sequence[str], images: Path) -> Sizes:
    """The headers of the files `paths` below `images`; raises as `check_links`."""
    read, sizes, formats, broken = [], [], Counter[str](), 0
    for path in progress_bar("reading sizes", iterable=paths, unit="image"):
        check_links(path, images)
        try:
            width, height, format_ = read_header(images / path)
        except ValueError:
            broken += 1  # `pack_images` has told the reason, or refused
            continue
        read.append(path)
        sizes.append((width, height))
        formats[format_] += 1
    widths, heights = np.array(sizes, np.int64).reshape(-1, 2).T
    return Sizes(read, widths, heights, dict(formats.most_common()), broken)


def markdown(dataset: str, sizes: Sizes, wanted: Image) -> str:
    """The figures beside the plot."""
    areas = sizes.widths * sizes.heights
    aspects = sizes.heights / sizes.widths
    smaller = (sizes.heights < wanted.height) & (sizes.widths < wanted.width)
    wide = aspects < 1

    def named(place: np.intp) -> str:
        path = repr(sizes.paths[place]).replace("`", "'").replace("|", "\\|")
        return f"{sizes.heights[place]}x{sizes.widths[place]} (`{path}`)"

    formats = ", ".join(f"{name} {count:,}" for name, count in sizes.formats.items())
    rows = {
        "images": f"{len(sizes.paths):,}: {formats}",
        "left out as broken": f"{sizes.broken:,}",
        "height: least, median, most": _spread(sizes.heights),
        "width: least, median, most": _spread(sizes.widths),
        "height / width: least, median, most": _spread(aspects.round(2)),
        "smallest area": named(areas.argmin()),
        "largest area": named(areas.argmax()),
        f"enlarged to {wanted.height}x{wanted.width} both ways": _share(smaller),
        "wider than high": _share(wide),
    }
    lines = [f"# {dataset}: images", "", "Sizes are height x width, in pixels.", ""]
    lines += ["| | |", "|---|---|"]
    lines += [f"| {name} | {value} |" for name, value in rows.items()]
    return "\n".join([*lines, "", "![sizes](sizes.png)"]) + "\n"


def draw_sizes(path: str | Path, dataset: str, sizes: Sizes, wanted: Image) -> None:
    """Draw width against height and the distribution of their ratio, the packed size marked.

    Args:
        path: the PNG to write.
        dataset: the data set's label.
        sizes: of all images.
        wanted: the size that they are packed in.
    """
    with figure(path, 10, 4.8) as drawing:
        left, right = drawing.subplots(1, 2, width_ratios=(1.25, 1))
        _draw_plane(left, sizes, wanted)
        _draw_aspects(right, sizes, wanted)
        drawing.suptitle(
            f"Images of {dataset}: {len(sizes.paths):,} files",
            x=0.01,
            ha="left",
            weight="bold",
            size=13,
        )
        drawing.legend(loc="outside lower left", ncols=2)


def _draw_plane(axes: "Axes", sizes: Sizes, wanted: Image) -> None:
    from matplotlib.colors import LogNorm

    distinct, counts = np.unique(
        np.stack([sizes.widths, sizes.heights], 1), axis=0, return_counts=True
    )
    order = np.argsort(counts, kind="stable")
    widths, heights = distinct[order].T
    drawn = axes.scatter(
        widths,
        heights,
        c=counts[order],
        s=12 + 14 * np.log10(counts[order]),
        linewidths=np.where(counts[order] < 10, 0, 0.4).tolist(),
        edgecolors=INK,
        cmap="viridis",
        norm=LogNorm(1, max(10, counts.max())),
    )
    bar = axes.figure.colorbar(drawn, ax=axes, pad=0.02, format="{x:,.0f}")
    bar.set_label("images of one size")
    bar.minorticks_off()
    axes.plot(
        wanted.width,
        wanted.height,
        "s",
        markersize=9,
        markerfacecolor="none",
        markeredgecolor=ORANGE,
        markeredgewidth=2.2,
        label=f"packed as {wanted.height}x{wanted.width} (height x width)",
        linestyle="none",
    )
    longest = max(axes.get_xlim()[1], axes.get_ylim()[1] * wanted.width / wanted.height)
    ends = np.array([0, longest])
    axes.set_xlim(0, axes.get_xlim()[1])
    axes.set_ylim(0, axes.get_ylim()[1])
    axes.plot(
        ends,
        ends * wanted.height / wanted.width,
        color=ORANGE,
        linestyle="--",
        linewidth=1.2,
        label="that shape; others are stretched to it",
        scalex=False,
        scaley=False,
    )
    axes.set_xlabel("width, pixels")
    axes.set_ylabel("height, pixels")


def _draw_aspects(axes: "Axes", sizes: Sizes, wanted: Image) -> None:
    aspects = (sizes.heights / sizes.widths).clip(LOWEST_ASPECT, HIGHEST_ASPECT)
    edges = np.arange(LOWEST_ASPECT, HIGHEST_ASPECT + 0.1, 0.1)
    shares = 100 * np.histogram(aspects, edges)[0] / max(1, len(aspects))
    axes.stairs(shares, edges, fill=True, color=BLUE)
    axes.axvline(wanted.height / wanted.width, color=ORANGE, ls="--", linewidth=1.2)
    axes.axvline(1, color=INK, linewidth=0.8)
    axes.annotate(
        "square",
        (1, 1),
        xycoords=("data", "axes fraction"),
        xytext=(3, -3),
        textcoords="offset points",
        va="top",
        fontsize=9.5,
    )
    axes.set_xlabel("height / width")
    axes.set_ylabel("images, %")
    axes.grid(axis="x", visible=False)


def _spread(values: NDArray[np.int64] | NDArray[np.float64]) -> str:
    return f"{values.min():g}, {np.median(values):g}, {values.max():g}"


def _share(chosen: NDArray[np.bool_]) -> str:
    return f"{chosen.sum():,} ({100 * chosen.mean():.1f} %)"
