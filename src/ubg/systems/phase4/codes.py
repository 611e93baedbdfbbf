"""The VQ codes of the images, as the branch is given them."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ubg.data.images.image_pack import ImagePack
from ubg.data.prepared import NO_IMAGE
from ubg.vqgan.codes.store import VQ_TOKENS, VqTokens
from ubg.vqgan.model.folder import VQGAN_FOLDER, vqgan_fingerprint


class Codes(Protocol):
    """What is asked of `VqTokens` here.

    Attributes:
        codes: size of the codebook.
        grid: rows and columns of codes, L of them.
    """

    codes: int
    grid: tuple[int, int]

    def batch(
        self, image_ids_B: NDArray[np.int64], mirrored_B: NDArray[np.bool_]
    ) -> NDArray[np.int64]:
        """Codes, int64 [B, L], of images, or of their mirror images where `mirrored_B` says so."""


def open_tokens(pack: ImagePack) -> VqTokens:
    """The codes of the images in `pack`, by the VQGAN in use.

    Raises:
        ValueError: they are missing, damaged, or made of something else.
    """
    tokens = VqTokens(VQ_TOKENS)
    tokens.check_matches(vqgan_fingerprint(VQGAN_FOLDER), pack.fingerprint, pack.height, pack.width)
    return tokens


def unmirrored(tokens: Codes, image_ids: NDArray[np.int64]) -> NDArray[np.int64]:
    """The codes of images as they are, [B, L]."""
    return tokens.batch(image_ids, np.zeros(len(image_ids), np.bool_))


def held_out_rows(table: pd.DataFrame) -> pd.DataFrame:
    """The validation rows that have an image and a caption."""
    described = (table["image_id"] != NO_IMAGE) & (table["caption"] != "")
    return table[(table["split"] == "val") & described]


def training_ids(tokens: Codes, table: pd.DataFrame) -> NDArray[np.int64]:
    """The codes of the training images and of their mirror images, [2 N, L]."""
    ids = np.unique(table.loc[table["split"] == "train", "image_id"].to_numpy(np.int64))
    sides: Sequence[bool] = (False, True)
    return np.concatenate([tokens.batch(ids, np.full(len(ids), side)) for side in sides])
