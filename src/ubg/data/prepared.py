"""The prepared table on disk: one row per caption, as `prepare_annotations` leaves it."""

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ubg.runtime.opening import Kind, check_file

if TYPE_CHECKING:
    import pandas as pd

PREPARED = Path("data/prepared")
OTHERS = Path("data/others")  # of data sets that are only tested on, a folder each
# What every table has, and whether it is a number.
COLUMNS = {"split": False, "pid": True, "image_id": True, "image_path": False, "caption": False}
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
    path = Path(folder) / "annotations.csv"
    return read_table(path, "make it with `dvc repro prepare_annotations`", COLUMNS)


def read_table(path: Path, remedy: str, columns: Mapping[str, bool]) -> "pd.DataFrame":
    """A table that `write_table` wrote, with a row at least.

    Args:
        path: of the table.
        remedy: ends the message.
        columns: that it must have, and whether they hold numbers.

    Raises:
        ValueError: it cannot be read.
    """
    import pandas as pd

    try:
        check_file(path, Kind.TABLE)
        with path.open(encoding="utf-8", errors="surrogatepass", newline="") as file:
            # Numbers alone are unquoted. Not pandas' reader, which takes a caption "NA" for none.
            header, *rows = csv.reader(file, quoting=csv.QUOTE_NONNUMERIC, strict=True)
        _check_rows(header, rows, columns)
        table = pd.DataFrame(rows, columns=header, dtype=object)
        numbers = [name for name, value in zip(header, rows[0], strict=True) if _is_number(value)]
        if fractions := [name for name in numbers if any(map(_is_fraction, table[name]))]:
            raise ValueError(f"column {fractions[0]!r} holds other than whole numbers")
        return table.astype(dict.fromkeys(numbers, "int64"))
    except (OSError, ValueError, OverflowError, csv.Error) as error:
        raise ValueError(f"{path}: cannot be read ({str(error)[:300]}); {remedy}") from None


def _check_rows(header: list[str], rows: list[list[Any]], columns: Mapping[str, bool]) -> None:
    """Refuse a table without rows or columns, or with rows of other fields than the first."""
    if not rows:
        raise ValueError("it has no rows")
    if missing := [name for name in columns if name not in header]:
        raise ValueError(f"it has no column {missing[0]!r}")
    if len(set(header)) < len(header):
        raise ValueError("it has a column twice")
    kinds = [_is_number(value) for value in rows[0]]
    kinds_asked = dict(zip(header, kinds, strict=False))
    if wrong := [name for name, number in columns.items() if kinds_asked.get(name) != number]:
        raise ValueError(f"column {wrong[0]!r} holds another kind of value")
    for number, row in enumerate(rows):
        if len(row) != len(header) or [_is_number(value) for value in row] != kinds:
            raise ValueError(f"row {number} has other fields than the first row, or an open quote")


def _is_fraction(number: float) -> bool:
    return not number.is_integer()  # nor are NaN and infinity


def _is_number(value: Any) -> bool:
    return isinstance(value, float)
