"""The field of a batch that the branch needs: the classes of the codes of its images."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ubg.data.batches.fields import Batch, Samples
from ubg.systems.phase4.codes import Codes


class ClassTargets:
    """`code_classes`, long [B, L], of the whole images, mirrored where those of the batch are.

    Args:
        tokens: the codes of all images and of their mirror images.
        class_of_code_V: long.
    """

    images: Sequence[str] = ()

    def __init__(self, tokens: Codes, class_of_code_V: Tensor):
        self.tokens = tokens
        self._class_of_code_V = class_of_code_V.numpy()

    def classes(
        self, image_ids: NDArray[np.int64], mirrored_B: NDArray[np.bool_]
    ) -> NDArray[np.int64]:
        """[B, L]."""
        return self._class_of_code_V[self.tokens.batch(image_ids, mirrored_B)]

    def add_to(self, batch: Batch, samples: Samples) -> Batch:
        mirrored_B = samples.draws.geometry_B7[:, 0] == 1
        return {"code_classes": torch.from_numpy(self.classes(samples.image_ids, mirrored_B))}
