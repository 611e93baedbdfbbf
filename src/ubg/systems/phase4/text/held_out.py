"""Held-out images and what their captions, or those of others, say of their codes."""

from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from ubg.data.batches.loader import caption_batches
from ubg.data.text.captions import T5_FIELDS, TokenisedCaptions
from ubg.retrieval.code_score import MAX_EVIDENCE
from ubg.runtime.cpu_products import fast_products
from ubg.runtime.distributed import gather_batches, rank, world_size
from ubg.systems.phase4.codes import held_out_rows
from ubg.systems.phase4.scores import Scores, captions_of_others
from ubg.systems.phase4.text.model import TextModel
from ubg.systems.phase4.text.targets import ClassTargets


@dataclass(frozen=True)
class HeldOut:
    """One split as samples of the branch, images unmirrored.

    Attributes:
        table: N rows, a caption and its image each.
        captions: of the rows.
        classes_NL: int64; classes of the codes of their images.
    """

    table: pd.DataFrame
    captions: TokenisedCaptions
    classes_NL: NDArray[np.int64]


def hold_out(
    table: pd.DataFrame,
    targets: ClassTargets,
    tokenizer: Any,
    max_tokens: int,
    fields: tuple[str, str] = T5_FIELDS,
) -> HeldOut:
    """One caption of every validation image; `fields` are the model's `caption_fields`.

    Raises:
        ValueError: see `captions_of_others`.
    """
    rows = held_out_rows(table).drop_duplicates("image_id").reset_index(drop=True)
    captions_of_others(rows)  # where there are none, this is the time to say so
    captions = TokenisedCaptions(tokenizer, rows["caption"].tolist(), max_tokens, fields)
    image_ids = rows["image_id"].to_numpy(np.int64)
    return HeldOut(rows, captions, targets.classes(image_ids, np.zeros(len(rows), np.bool_)))


@torch.inference_mode()
@fast_products()
def score(model: TextModel, held_out: HeldOut, batch_size: int) -> tuple[Scores, Scores]:
    """Predict the classes of every image from its caption, and from a caption of another identity.

    Every caption is read once. Several processes share them, and each has all scores in the end.
    The model should be in evaluation mode.
    """
    device = next(model.parameters()).device
    shown_to_N = np.argsort(captions_of_others(held_out.table))
    at_once = min(batch_size, max(1, MAX_EVIDENCE // model.generator.log_frequency_LK.numel()))
    own_batches = islice(caption_batches(held_out.captions, at_once), rank(), None, world_size())
    own: list[tuple[NDArray[Any], ...]] = []
    others: list[tuple[NDArray[Any], ...]] = []
    for rows, text in own_batches:
        text = {name: value.to(device) for name, value in text.items()}
        logits_BLK = model.generator.logits_of(model.retrieval, text)
        log_p_BLK = logits_BLK.float().log_softmax(dim=-1)
        best_BL = log_p_BLK.argmax(dim=-1)
        for parts, samples in ((own, rows), (others, shown_to_N[rows])):
            target_BL = torch.from_numpy(held_out.classes_NL[samples]).to(device)
            ce_BL = -log_p_BLK.gather(2, target_BL[..., None])[..., 0]
            right_BL = best_BL == target_BL
            parts.append((samples, ce_BL.double().cpu().numpy(), right_BL.cpu().numpy()))
    return _in_order(held_out, gather_batches(own)), _in_order(held_out, gather_batches(others))


def _in_order(held_out: HeldOut, parts: list[tuple[NDArray[Any], ...]]) -> Scores:
    samples, ce_NL, right_NL = (np.concatenate(values) for values in zip(*parts, strict=True))
    order = np.argsort(samples)
    row_NL, place_NL = np.indices(held_out.classes_NL.shape)
    return Scores(
        row_NL.ravel(),
        place_NL.ravel(),
        held_out.classes_NL.ravel(),
        ce_NL[order].ravel(),
        right_NL[order].ravel(),
    )
