"""Arrays that only grow: a row for each image, memory-mapped by readers, appended by one writer.

A writer puts its rows behind the last one that the database knows, and only then tells the database
of them. What a killed writer left behind is overwritten by the next.
"""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ubg.runtime.opening import Kind, check_file
from ubg.search.manifest import Codes, Manifest

COPY_ROWS = 65_536


@dataclass(frozen=True)
class RowFile:
    """One array on disk, [rows, width], without a header.

    Attributes:
        path: the file.
        dtype: of its numbers.
        width: numbers of a row.
    """

    path: Path
    dtype: np.dtype[Any]
    width: int

    def read(self, rows: int) -> NDArray[Any]:
        """The first rows, memory-mapped; for none, the file need not be there yet.

        Raises:
            ValueError: the file has fewer.
        """
        if rows == 0:
            return np.empty((0, self.width), self.dtype)
        size = rows * self.width * self.dtype.itemsize
        try:
            present = check_file(self.path, Kind.PACK)
        except OSError as error:
            raise ValueError(f"{self.path}: {error.strerror}; index the folders anew") from None
        if present < size:
            raise ValueError(
                f"{self.path}: has {present:,} bytes where {rows:,} rows take {size:,}; the "
                "gallery is damaged: index the folders anew into another one"
            )
        # A plain array over the map: NumPy's own class costs time at every slice.
        return np.asarray(np.memmap(self.path, self.dtype, "r", shape=(rows, self.width)))

    def write(self, first_row: int, values_NW: NDArray[Any]) -> None:
        """Put rows at a place, through to the disk."""
        assert values_NW.shape[1:] == (self.width,)
        assert values_NW.dtype == self.dtype
        descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            place = first_row * self.width * self.dtype.itemsize
            left = memoryview(values_NW.tobytes())
            while left:
                written = os.pwrite(descriptor, left, place)
                left, place = left[written:], place + written
            os.fsync(descriptor)
        except OSError as error:
            raise OSError(error.errno, error.strerror, str(self.path)) from None
        finally:
            os.close(descriptor)


def vector_file(gallery: Path, manifest: Manifest, generation: int) -> RowFile:
    """The unit vectors of a gallery."""
    path = gallery / f"vectors.{generation}.{manifest.vectors}"
    return RowFile(path, np.dtype(manifest.vectors), manifest.dimension)


def code_file(gallery: Path, codes: Codes, generation: int) -> RowFile:
    """The codes of a gallery that has some."""
    dtype = np.dtype(codes.dtype)
    return RowFile(gallery / f"codes.{generation}.{codes.dtype}", dtype, codes.length)


def copy_rows(source: RowFile, target: RowFile, rows: NDArray[np.int64]) -> None:
    """Write some rows of one file, in their order, as the whole of another."""
    target.path.unlink(missing_ok=True)
    values = source.read(int(rows[-1]) + 1 if len(rows) else 0)
    for start in range(0, len(rows), COPY_ROWS):
        target.write(start, values[rows[start : start + COPY_ROWS]])
