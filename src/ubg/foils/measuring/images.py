"""The pictures of drawn foils, decoded as they are read."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ubg.data.images.decode import decode_image
from ubg.data.images.image_pack import ImagePack
from ubg.foils.cases import image_path
from ubg.params import Image


class FoilImages(ImagePack):
    """The interface of a pack; the pictures are small and read once, so none is made."""

    def __init__(self, folder: Path, image_ids: NDArray[np.int64], size: Image) -> None:
        """The images `image_ids`, int64 [N], ascending, below `folder`, resized to `size`."""
        self._folder, self._file = folder, -1
        self.image_ids = image_ids
        self.height, self.width = size.height, size.width
        self.fingerprint = ""

    def read(
        self, rows: NDArray[np.int64], out: NDArray[np.uint8] | None = None
    ) -> NDArray[np.uint8]:
        """Decode images into `out`, or into a new array: uint8 [B, H, W, 3].

        Raises:
            ValueError: an image is missing or damaged.
        """
        if out is None:
            out = np.empty((len(rows), self.height, self.width, 3), np.uint8)
        for place, image in enumerate(self.image_ids[rows].tolist()):
            out[place] = decode_image(image_path(self._folder, image), self.height, self.width)
        return out
