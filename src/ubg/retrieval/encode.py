"""A split of the data set as features of a model."""

from dataclasses import dataclass
from itertools import islice

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from ubg.data.batches.loader import caption_batches, image_batches
from ubg.data.images.image_pack import ImagePack
from ubg.data.prepared import NO_IMAGE
from ubg.data.text.captions import T5_FIELDS, TokenisedCaptions
from ubg.retrieval.contract import RetrievalModel
from ubg.runtime.cpu_products import fast_products
from ubg.runtime.distributed import gather_batches, own_rows, rank, world_size
from ubg.runtime.progress import progress_bar


@dataclass(frozen=True)
class Split:
    """The queries and the gallery of one split.

    Attributes:
        table: one row per query, in the order of the table that they come from.
        image_ids: int64 [G], each image once, by the first row that has it.
        text_pids, image_pids: int64 [Q] and [G], identities.
        captions: the Q captions, tokenised.
    """

    table: pd.DataFrame
    image_ids: NDArray[np.int64]
    text_pids: NDArray[np.int64]
    image_pids: NDArray[np.int64]
    captions: TokenisedCaptions


@dataclass(frozen=True)
class Features:
    """Unit vectors, float32: `text_QD` of the captions, `image_GD` of the gallery, on the CPU."""

    text_QD: Tensor
    image_GD: Tensor


def make_split(
    table: pd.DataFrame,
    split: str,
    tokenizer: object,
    max_tokens: int,
    fields: tuple[str, str] = T5_FIELDS,
) -> Split:
    """The rows of `split` ("val", "test") as queries and gallery.

    A row without a caption is of the gallery alone, a row without an image is a query alone.
    `fields` are the model's `caption_fields`.
    """
    rows = table[table["split"] == split]
    queries = rows[rows["caption"] != ""].reset_index(drop=True)
    gallery = rows[rows["image_id"] != NO_IMAGE].drop_duplicates("image_id")
    return Split(
        table=queries,
        image_ids=gallery["image_id"].to_numpy(np.int64),
        text_pids=queries["pid"].to_numpy(np.int64),
        image_pids=gallery["pid"].to_numpy(np.int64),
        captions=TokenisedCaptions(tokenizer, queries["caption"].tolist(), max_tokens, fields),
    )


@torch.inference_mode()
@fast_products()
def encode_split(
    model: RetrievalModel, split: Split, pack: ImagePack, batch_size: int, quiet: bool = False
) -> Features:
    """Encode every image and every caption of a split once.

    Captions are sorted by length; a batch holds about as many tokens as `batch_size` captions of
    average length. Several processes share the batches, and each returns all features. The model
    should be in evaluation mode.
    """
    device = next(model.parameters()).device
    total = len(split.image_ids) + len(split.captions)
    with progress_bar("encoding", total=total, unit="item", disable=quiet) as bar:
        image_parts = []
        own_ids = split.image_ids[own_rows(len(split.image_ids), batch_size)]
        for images in image_batches(pack, own_ids, model.normalisation, batch_size):
            image_parts.append(model.encode_image(images.to(device)).cpu())
            bar.update(len(images))
        text_parts = []
        own_captions = islice(
            caption_batches(split.captions, batch_size), rank(), None, world_size()
        )
        for positions, text in own_captions:
            text = {name: value.to(device) for name, value in text.items()}
            text_parts.append((positions, model.encode_query({"text": text}).cpu()))
            bar.update(len(positions))
    image_GD = torch.cat(gather_batches(image_parts))
    rows, parts = zip(*gather_batches(text_parts), strict=True)
    sorted_QD = torch.cat(parts)
    text_QD = torch.empty_like(sorted_QD)
    text_QD[torch.from_numpy(np.concatenate(rows))] = sorted_QD
    return Features(text_QD, image_GD)
