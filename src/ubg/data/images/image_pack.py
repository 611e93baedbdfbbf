"""Images decoded and resized once into one plain array, from which a batch is a copy.

`images.u8` is uint8 [N, H, W, C], row by row and nothing else; `image_ids.npy` names its rows;
`index.json` has the sizes, what was left out and the fingerprint of the pixels.
"""

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ubg.data.prepared import NO_IMAGE
from ubg.runtime.faults import first_fault
from ubg.runtime.opening import Kind, check_file, read_array, read_text

if TYPE_CHECKING:
    import pandas as pd
IMAGES = Path("data/images")
Side = Annotated[int, Field(ge=1, le=2**15)]


class _Index(BaseModel):
    """What `index.json` is asked for."""

    model_config = ConfigDict(strict=True)
    height: Side
    width: Side
    channels: Literal[1, 3]
    fingerprint: Annotated[str, Field(max_length=64)]


def _read_ids(path: Path) -> NDArray[np.int64]:
    ids = read_array(path)
    if ids.dtype != np.int64 or ids.ndim != 1:
        raise ValueError("image_ids.npy is no list of int64")
    if not len(ids) or not (ids[1:] > ids[:-1]).all():
        raise ValueError("image_ids.npy names no image, or does not ascend")
    return np.array(ids)


class ImagePack:
    """Random access to the packed images. Threads and forked processes may share one.

    Attributes:
        image_ids: int64 [N], ascending.
        height, width: in pixels.
        channels: 3, or 1 where images are grey.
        fingerprint: changes with any pixel, size or id.
    """

    def __init__(self, folder: str | Path) -> None:
        """Open the pack in `folder`.

        Raises:
            ValueError: a file is missing, or has not the size that the index says.
        """
        self._folder = Path(folder)
        self._file = -1
        advice = "make it again with `dvc repro`"
        try:
            index = _Index.model_validate(
                json.loads(read_text(self._folder / "index.json", Kind.TABLE))
            )
            self.image_ids = _read_ids(self._folder / "image_ids.npy")
            self.height, self.width, self.channels = index.height, index.width, index.channels
            self.fingerprint = index.fingerprint
            size = check_file(self._folder / "images.u8", Kind.PACK)
        except ValidationError as error:
            reason = f"index.json: {first_fault(error)}"
            raise ValueError(f"{self._folder}: is no image pack ({reason}); {advice}") from None
        except (OSError, ValueError, EOFError, RecursionError) as error:
            raise ValueError(f"{self._folder}: is no image pack ({error}); {advice}") from None
        self._image_bytes = self.height * self.width * self.channels
        if size != len(self.image_ids) * self._image_bytes:
            raise ValueError(
                f"{self._folder / 'images.u8'}: has {size:,} bytes where {len(self.image_ids):,} "
                f"images of {self.height}x{self.width}x{self.channels} need "
                f"{len(self.image_ids) * self._image_bytes:,}; {advice}"
            )
        self._file = os.open(self._folder / "images.u8", os.O_RDONLY)

    def __len__(self) -> int:
        return len(self.image_ids)

    def __del__(self) -> None:
        if self._file >= 0:
            os.close(self._file)

    def __reduce__(self) -> tuple[type["ImagePack"], tuple[Path]]:
        return ImagePack, (self._folder,)

    def rows_present(self, table: "pd.DataFrame") -> "pd.DataFrame":
        """The rows of `table` whose image was packed, and those with `NO_IMAGE`."""
        return table[table["image_id"].isin([NO_IMAGE, *self.image_ids])]

    def row_of(self, image_ids: NDArray[np.int64]) -> NDArray[np.int64]:
        """Rows of the images named, both int64 [B].

        Raises:
            ValueError: an image is not in the pack.
        """
        rows = np.searchsorted(self.image_ids, image_ids)
        found = self.image_ids[np.minimum(rows, len(self) - 1)] == image_ids
        if not found.all():
            missing = np.asarray(image_ids)[~found][0]
            raise ValueError(
                f"{self._folder}: has no image {missing}; it belongs to another data set or was "
                "left out as broken"
            )
        return rows

    def read(
        self, rows: NDArray[np.int64], out: NDArray[np.uint8] | None = None
    ) -> NDArray[np.uint8]:
        """Copy images into `out`, or into a new array: uint8 [B, H, W, C].

        The kernel is told first which parts of the file the batch needs, so that an uncached file
        is read from disk for the whole batch at once, not image by image.

        Args:
            rows: int64 [B], see `row_of`.
            out: C-contiguous, reused from batch to batch.
        """
        shape = len(rows), self.height, self.width, self.channels
        if out is None:
            out = np.empty(shape, np.uint8)
        assert out.shape == shape
        assert out.flags.c_contiguous
        offsets = (np.asarray(rows) * self._image_bytes).tolist()
        if hasattr(os, "posix_fadvise"):
            for offset in offsets:
                os.posix_fadvise(self._file, offset, self._image_bytes, os.POSIX_FADV_WILLNEED)
        flat = out.data.cast("B")
        for position, offset in enumerate(offsets):
            start = position * self._image_bytes
            count = os.preadv(self._file, [flat[start : start + self._image_bytes]], offset)
            assert count == self._image_bytes, "the pack was cut while it was in use"
        return out
