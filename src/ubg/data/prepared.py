"""The prepared table on disk: one row per caption, as `prepare_annotations` leaves it."""

import csv
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

PREPARED = Path("data/prepared")
OTHERS = Path("data/others")  # of data sets that are only tested on, a folder each
NO_IMAGE = -1  # `image_id` of a caption that describes a person and no image in particular


def write_table(table: "pd.DataFrame", path: Path) -> None:
    """Write the table as CSV, captions exactly as they are, line breaks and surrogates included."""
    with path.open("w", encoding="utf-8", errors="surrogatepass", newline="") as file:
        writer = csv.writer(file, lineterminator="\n", quoting=csv.QUOTE_NONNUMERIC)
        writer.writerow(table.columns)
        writer.writerows(table.itertuples(index=False, name=None))


def require_searchable(table: "pd.DataFrame", split: str, where: str) -> None:
    """Refuse a split on which no search says anything, before days of training.

    Args:
        table: as `load_prepared` returns it.
        split: of the table.
        where: begins the message.

    Raises:
        ValueError: no caption is of the split, or all its images are of one identity.
    """
    rows = table[table["split"] == split]
    if not (rows["caption"] != "").any():
        remedy = " or set carve_val in the preset of the data set" if split == "val" else ""
        raise ValueError(f"{where}: no caption is of the split {split!r}; add some{remedy}")
    if rows.loc[rows["image_id"] != NO_IMAGE, "pid"].nunique() < 2:
        remedy = " or raise carve_val.identities" if split == "val" else ""
        raise ValueError(
            f"{where}: all images of the split {split!r} are of one identity, whom every search "
            f"finds; add another{remedy}"
        )


def load_prepared(folder: str | Path) -> "pd.DataFrame":
    """The table that was prepared in `folder`; its columns are those of `read_annotations`.

    Raises:
        ValueError: there is no such table.
    """
    return read_table(
        Path(folder) / "annotations.csv", "make it with `dvc repro prepare_annotations`"
    )


def read_table(path: Path, remedy: str) -> "pd.DataFrame":
    """A table that `write_table` wrote, with a row at least.

    Args:
        path: of the table.
        remedy: ends the message.

    Raises:
        ValueError: it cannot be read.
    """
    import pandas as pd

    try:
        with path.open(encoding="utf-8", errors="surrogatepass", newline="") as file:
            # Numbers alone are unquoted. Not pandas' reader, which takes a caption "NA" for none.
            header, first, *others = csv.reader(file, quoting=csv.QUOTE_NONNUMERIC)
    except (OSError, ValueError) as error:
        raise ValueError(f"{path}: cannot be read ({error}); {remedy}") from None
    table = pd.DataFrame([first, *others], columns=header, dtype=object)
    numbers = [name for name, value in zip(header, first, strict=True) if isinstance(value, float)]
    return table.astype(dict.fromkeys(numbers, "int64"))
