"""What systems made of each case, in a file: the ground for comparing them case by case."""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ubg.runtime.opening import Kind, read_text

if TYPE_CHECKING:
    from ubg.foils.cases import Case

NAMES = ("kind", "person")


@dataclass(frozen=True)
class FoilResults:
    """Results of C cases.

    Attributes:
        kinds: [C].
        persons: int64 [C].
        right: bool [C] by measure; behind the name of the measure stands that of the score.
    """

    kinds: NDArray[np.str_]
    persons: NDArray[np.int64]
    right: dict[str, NDArray[np.bool_]]


def write_results(
    path: Path, cases: "Sequence[Case]", right: Mapping[str, NDArray[np.bool_]]
) -> None:
    """Write a row for each case: its kind, its person, and 1 for each measure that is right."""
    columns = [
        [case.kind for case in cases],
        [case.person for case in cases],
        *(values.astype(int).tolist() for values in right.values()),
    ]
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow([*NAMES, *right])
        table.writerows(zip(*columns, strict=True))


def read_results(path: Path) -> FoilResults:
    """Read what `write_results` wrote.

    Raises:
        ValueError: the file is missing or holds something else.
    """
    again = "run the evaluation of this system again"
    try:
        header, *rows = csv.reader(io.StringIO(read_text(path, Kind.TABLE)), strict=True)
        if tuple(header[:2]) != NAMES:
            raise ValueError(f"its first columns must be {', '.join(NAMES)}")
        values = np.array([row[1:] for row in rows], np.int64).reshape(len(rows), len(header) - 1)
    except FileNotFoundError:
        raise ValueError(f"{path}: missing; {again}") from None
    except (OSError, ValueError, OverflowError, IndexError, csv.Error) as error:
        raise ValueError(f"{path}: {str(error)[:300]}; {again}") from None
    right = {name: values[:, place] == 1 for place, name in enumerate(header[2:], 1)}
    return FoilResults(np.array([row[0] for row in rows], np.str_), values[:, 0], right)
