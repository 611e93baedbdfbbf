"""Queries of a split, and their parts through a model: each caption and each image once."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ubg.data.batches.loader import caption_batches
from ubg.data.images.image_pack import ImagePack
from ubg.data.query_kinds import KINDS
from ubg.data.text.captions import TokenisedCaptions
from ubg.retrieval.pixels import normalised
from ubg.runtime.cpu_products import fast_products
from ubg.runtime.distributed import gather_batches, rank, world_size
from ubg.runtime.progress import progress_bar
from ubg.systems.clip_mer.evaluation.kinds import parts_of, require_all_kinds
from ubg.systems.clip_mer.model import ClipMer
from ubg.systems.clip_mer.parts import CHANNELS, PARTS

if TYPE_CHECKING:
    import pandas as pd

    from ubg.data.modalities.modalities import Modalities


@dataclass(frozen=True)
class Queries:
    """The Q queries of a split, of all kinds.

    Attributes:
        table: a row per query: `kind`, `pid`, `caption`, and an image id or -1 under each of
            `CHANNELS`.
        captions: the distinct captions.
        packs: the images, by part.
        place_of: int64 [Q] by part; which caption, or which of the distinct images of that part,
            each query has; -1 where its kind has not this part.
        image_ids: the distinct images by part, ascending.
    """

    table: "pd.DataFrame"
    captions: TokenisedCaptions
    packs: Mapping[str, ImagePack]
    place_of: dict[str, NDArray[np.int64]]
    image_ids: dict[str, NDArray[np.int64]]

    @property
    def pids(self) -> NDArray[np.int64]:
        """Identities, [Q]."""
        return self.table["pid"].to_numpy(np.int64)

    def rows_by_kind(self) -> dict[str, NDArray[np.int64]]:
        """Rows of each kind, int64, in the order of `KINDS`."""
        kind_Q = self.table["kind"].to_numpy(np.str_)
        return {kind: np.flatnonzero(kind_Q == kind) for kind in KINDS}


def make_queries(
    modalities: "Modalities",
    split: str,
    tokenizer: Any,
    max_tokens: int,
    fields: tuple[str, str],
) -> Queries:
    """The queries of `split` ("val", "test"); `fields` are the model's `caption_fields`.

    Raises:
        ValueError: a kind has no queries.
    """
    queries = modalities.queries
    table = queries[queries["split"] == split].reset_index(drop=True)
    require_all_kinds(table["kind"], f"data/modalities/queries.csv, split {split!r}")
    place_of, image_ids = {}, {}
    for part in CHANNELS:
        image_Q = table[part].to_numpy(np.int64)
        image_ids[part] = np.unique(image_Q[image_Q >= 0])
        place_of[part] = np.where(image_Q < 0, -1, np.searchsorted(image_ids[part], image_Q))
    texts = [text for text in dict.fromkeys(table["caption"]) if text != ""]
    number = {text: place for place, text in enumerate(texts)} | {"": -1}
    place_of["text"] = np.array([number[text] for text in table["caption"]], np.int64)
    for kind in table["kind"].unique():
        of_kind = (table["kind"] == kind).to_numpy()
        assert all((place_of[part][of_kind] >= 0).all() for part in parts_of(kind)), kind
    captions = TokenisedCaptions(tokenizer, texts, max_tokens, fields)
    return Queries(table, captions, modalities.packs, place_of, image_ids)


@dataclass(frozen=True)
class EncodedParts:
    """The parts of all queries as a model sees them: tokens [N, T, W] of N captions or images.

    Attributes:
        tokens: by part, on the CPU.
        place_of: as in `Queries`.
    """

    tokens: dict[str, Tensor]
    place_of: dict[str, NDArray[np.int64]]

    def of(self, part: str, rows: NDArray[np.int64]) -> Tensor:
        """Tokens of one part of the queries `rows`, [B, T, W]."""
        place_B = self.place_of[part][rows]
        assert (place_B >= 0).all(), f"a query has no {part}"
        return self.tokens[part][torch.from_numpy(place_B)]


@torch.inference_mode()
@fast_products()
def encode_parts(
    model: ClipMer, queries: Queries, batch_size: int, quiet: bool = False
) -> EncodedParts:
    """Encode each caption and each image of the queries once.

    Several processes share the batches, and each returns all. The model should be in evaluation
    mode.
    """
    device = next(model.parameters()).device
    total = len(queries.captions) + sum(len(ids) for ids in queries.image_ids.values())
    tokens = {}
    with progress_bar("encoding parts", total=total, unit="part", disable=quiet) as bar:
        for part in PARTS:
            own = islice(_batches(model, queries, part, batch_size), rank(), None, world_size())
            encoded = []
            for places, inputs in own:
                inputs = {name: value.to(device) for name, value in inputs.items()}
                encoded.append((places, model.part_tokens(part, inputs).float().cpu()))
                bar.update(len(places))
            order, parts = zip(*gather_batches(encoded), strict=True)
            sorted_NTW = torch.cat(parts)
            tokens[part] = torch.empty_like(sorted_NTW)
            tokens[part][torch.from_numpy(np.concatenate(order))] = sorted_NTW
    return EncodedParts(tokens, queries.place_of)


def _batches(
    model: ClipMer, queries: Queries, part: str, batch_size: int
) -> Iterator[tuple[NDArray[np.int64], dict[str, Tensor]]]:
    """Places and inputs of one part, batch by batch."""
    if part == "text":
        yield from caption_batches(queries.captions, batch_size)
        return
    image_ids, pack = queries.image_ids[part], queries.packs[part]
    pack_rows = pack.row_of(image_ids)
    for start in range(0, len(image_ids), batch_size):
        places = np.arange(start, min(start + batch_size, len(image_ids)))
        pixels_BHWC = torch.from_numpy(pack.read(pack_rows[places]))
        yield places, {"images": normalised(pixels_BHWC, model.normalisations[part])}
