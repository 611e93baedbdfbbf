"""Held-out images under masks that never change, and what the branch predicts of them."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from ubg.data.batches.loader import image_batches
from ubg.data.images.image_pack import ImagePack
from ubg.data.text.captions import TokenisedCaptions
from ubg.runtime.cpu_products import fast_products
from ubg.runtime.distributed import gather_batches, own_rows
from ubg.systems.phase4.joint.hiding import hide_patches
from ubg.systems.phase4.joint.model import JointModel
from ubg.systems.phase4.joint.targets import GenerationTargets
from ubg.systems.phase4.scores import Scores


@dataclass(frozen=True)
class HeldOut:
    """One split as samples of the generative task: unmirrored images under masks that never change.

    Attributes:
        table: one row per sample, a caption and its image.
        captions: of the rows.
        pack: holds the images.
        targets: draws the masks, as of epoch 0.
    """

    table: pd.DataFrame
    captions: TokenisedCaptions
    pack: ImagePack
    targets: GenerationTargets

    def batches(
        self, model: JointModel, caption_rows: NDArray[np.int64], batch_size: int
    ) -> Iterator[tuple[NDArray[np.int64], dict[str, Tensor]]]:
        """Rows of the table and the fields for the model, with the captions of `caption_rows`.

        Several processes share the batches.

        Args:
            model: whose normalisation the images get.
            caption_rows: int64 [rows of the table], the row whose caption each sample gets; a
                sample's own row number gives it its own caption.
            batch_size: samples at once.
        """
        image_ids = self.table["image_id"].to_numpy(np.int64)
        caption_ids = self.table["caption_id"].to_numpy(np.int64)
        device = next(model.parameters()).device
        own, start = own_rows(len(image_ids), batch_size), 0
        for shown in image_batches(self.pack, image_ids[own], model.normalisation, batch_size):
            rows = own[start : start + len(shown)]
            start += len(shown)
            unmirrored = np.zeros(len(rows), np.bool_)
            fields = self.targets.fields(0, image_ids[rows], caption_ids[rows], unmirrored)
            hide_patches(shown.numpy(), fields["masked_patches"].numpy(), *self.targets.patch_grid)
            fields |= {"masked_images": shown, **self.captions.batch(caption_rows[rows])}
            yield rows, {name: value.to(device) for name, value in fields.items()}

    def mask_ratios(self) -> NDArray[np.float64]:
        """The share of masked patches of each sample, 0 to 1."""
        image_ids = self.table["image_id"].to_numpy(np.int64)
        caption_ids = self.table["caption_id"].to_numpy(np.int64)
        fields = self.targets.fields(0, image_ids, caption_ids, np.zeros(len(image_ids), np.bool_))
        return fields["masked_patches"].double().mean(dim=1).numpy()


@torch.inference_mode()
@fast_products()
def score(
    model: JointModel, held_out: HeldOut, caption_rows: NDArray[np.int64], batch_size: int
) -> Scores:
    """Predict every masked code, none of them revealed. The model should be in evaluation mode.

    Several processes share the batches, and each has all scores in the end.
    """
    parts = []
    for rows, batch in held_out.batches(model, caption_rows, batch_size):
        found = model.generator(model.retrieval, batch)
        logits_PV = found.logits_PV.float()
        ce_P = F.cross_entropy(logits_PV, found.target_ids_P, reduction="none")
        parts.append(
            (
                rows[found.sample_P.cpu().numpy()],
                found.position_P.cpu().numpy(),
                found.target_ids_P.cpu().numpy(),
                ce_P.double().cpu().numpy(),
                (logits_PV.argmax(dim=1) == found.target_ids_P).cpu().numpy(),
            )
        )
    return Scores(*(np.concatenate(values) for values in zip(*gather_batches(parts), strict=True)))
