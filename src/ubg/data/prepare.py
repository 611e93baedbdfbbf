"""The prepared table on disk and the report of what is odd in it."""

import csv
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ubg.data.annotations import read_annotations
from ubg.data.formats.records import SPLITS
from ubg.files import replace_folder, write_json
from ubg.params import Params

if TYPE_CHECKING:
    import pandas as pd

NUMBERS = ("pid", "raw_id", "image_id", "caption_id")


def prepare(params: Params, output: Path) -> None:
    """Read the annotations of the data set in use; write the table and the report to `output`.

    Raises:
        ValueError: see `read_annotations`.
    """
    data = params.data
    table = read_annotations(data.format, params.raw_root, data.annotations, data.images)
    report = describe(table)
    with replace_folder(output) as folder:
        write_table(table, folder / "annotations.csv")
        write_json(folder / "report.json", report)
        (folder / "report.md").write_text(_markdown(data.title, report), encoding="utf-8")
    print(_markdown(data.title, report))
    print(f"written to {output}")


def write_table(table: "pd.DataFrame", path: Path) -> None:
    """Write the table as CSV, captions exactly as they are, line breaks and surrogates included."""
    with path.open("w", encoding="utf-8", errors="surrogatepass", newline="") as file:
        writer = csv.writer(file, lineterminator="\n", quoting=csv.QUOTE_NONNUMERIC)
        writer.writerow(table.columns)
        writer.writerows(table.itertuples(index=False, name=None))


def load_prepared(folder: str | Path) -> "pd.DataFrame":
    """The table that `prepare` wrote to `folder`; its columns are those of `read_annotations`.

    Raises:
        ValueError: there is no such table.
    """
    import pandas as pd

    path = Path(folder) / "annotations.csv"
    try:
        with path.open(encoding="utf-8", errors="surrogatepass", newline="") as file:
            header, *rows = csv.reader(file)
    except (OSError, ValueError) as error:
        raise ValueError(
            f"{path}: cannot be read ({error}); make it with `dvc repro prepare_annotations`"
        ) from None
    # Not pandas' own reader, which takes a caption "NA" for a missing value.
    table = pd.DataFrame(rows, columns=header, dtype=object)
    return table.astype(dict.fromkeys(NUMBERS, "int64"))


def describe(table: "pd.DataFrame") -> dict[str, Any]:
    """Counts of each split, and how many captions, images and identities are odd in which way.

    Args:
        table: as `read_annotations` returns it.
    """
    captions = table["caption"]
    images = table.drop_duplicates("image_id")
    identities_of_caption = table.groupby(captions)["pid"].nunique()
    words = captions.map(lambda caption: len(caption.split()))
    return {
        "splits": {
            split: {
                "images": int(rows["image_id"].nunique()),
                "identities": int(rows["pid"].nunique()),
                "captions": len(rows),
            }
            for split in SPLITS
            if len(rows := table[table["split"] == split])
        },
        "captions_per_image": _histogram(table.groupby("image_id").size()),
        "images_per_identity": _histogram(images.groupby("pid").size()),
        "words_per_caption": {
            "min": int(words.min()),
            "median": float(words.median()),
            "max": int(words.max()),
        },
        "oddities": {
            "records of an image that was listed before": table.attrs["records"] - len(images),
            "identities with one image": int((images.groupby("pid").size() == 1).sum()),
            "captions written more than once": int((captions.value_counts() > 1).sum()),
            "captions shared by several identities": int((identities_of_caption > 1).sum()),
            "captions with white space at an edge": int((captions != captions.str.strip()).sum()),
            "captions with line breaks": int(captions.str.contains(r"[\r\n]").sum()),
            "captions with control characters": int(
                captions.str.contains(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]").sum()
            ),
            "captions with characters beyond ASCII": int(
                captions.str.contains(r"[^\x00-\x7f]").sum()
            ),
        },
    }


def _histogram(counts: "pd.Series[int]") -> dict[str, int]:
    return {str(value): int(number) for value, number in counts.value_counts().sort_index().items()}


def _markdown(title: str, report: dict[str, Any]) -> str:
    lines = [f"# {title}: annotations", "", "| split | images | identities | captions |"]
    lines += ["|---|---:|---:|---:|"]
    lines += [
        f"| {split} | {n['images']:,} | {n['identities']:,} | {n['captions']:,} |"
        for split, n in report["splits"].items()
    ]
    words = report["words_per_caption"]
    lines += [
        "",
        f"Words per caption: {words['min']} to {words['max']}, median {words['median']:g}.",
        f"Captions per image: {_listed(report['captions_per_image'])}.",
        f"Images per identity: {_listed(report['images_per_identity'])}.",
        "",
        "| oddity | count |",
        "|---|---:|",
        *(f"| {name} | {count:,} |" for name, count in report["oddities"].items()),
        "",
    ]
    return "\n".join(lines)


def _listed(histogram: dict[str, int]) -> str:
    return ", ".join(f"{value} ({number:,} times)" for value, number in histogram.items())
