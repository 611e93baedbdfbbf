"""Images decoded and resized once into one plain array, from which a batch is a copy.

`images.u8` is uint8 [N, H, W, C], row by row and nothing else; `image_ids.npy` names its rows;
`index.json` has the sizes, what was left out and the fingerprint of the pixels.
"""

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ubg.data.prepared import NO_IMAGE

if TYPE_CHECKING:
    import pandas as pd
IMAGES = Path("data/images")


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
            index: dict[str, Any] = json.loads((self._folder / "index.json").read_text("utf-8"))
            self.image_ids: NDArray[np.int64] = np.load(
                self._folder / "image_ids.npy", allow_pickle=False
            )
            self.height: int = index["height"]
            self.width: int = index["width"]
            self.channels: int = index["channels"]
            self.fingerprint: str = index["fingerprint"]
            size = (self._folder / "images.u8").stat().st_size
        except (OSError, ValueError, KeyError, TypeError) as error:
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
