"""Queries of all kinds by a trained model: metrics, tables and figures."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from ubg.data.batches.loader import image_batches
from ubg.data.images.image_pack import ImagePack
from ubg.data.modalities.modalities import MODALITIES, Modalities, load_modalities
from ubg.data.prepared import NO_IMAGE
from ubg.params import Params
from ubg.runtime.cpu_products import fast_products
from ubg.runtime.files import replace_folder
from ubg.runtime.progress import progress_bar
from ubg.systems.clip_mer.evaluation.compare import compare_averages, compare_kind, control_metrics
from ubg.systems.clip_mer.evaluation.controls import measure_controls
from ubg.systems.clip_mer.evaluation.controls_figure import draw_controls
from ubg.systems.clip_mer.evaluation.grown import choose_rows, grow
from ubg.systems.clip_mer.evaluation.heat_map import draw_heat_map
from ubg.systems.clip_mer.evaluation.kinds import AVERAGES
from ubg.systems.clip_mer.evaluation.measure import Gallery, Kinds, rank_kinds
from ubg.systems.clip_mer.evaluation.parts import EncodedParts, Queries, encode_parts, make_queries
from ubg.systems.clip_mer.evaluation.sheet import draw_query_sheet
from ubg.systems.clip_mer.evaluation.tables import write_kinds, write_parts, write_queries
from ubg.systems.clip_mer.model import ClipMer
from ubg.systems.contract import Trained

PLOTS = Path("plots/clip_mer/kinds")
SEED = 0  # of exchanged parts and of the queries shown: the same for every model
SHOWN = 3


@dataclass(frozen=True)
class Measured:
    """A split through a model, and how it ranks; `images` are the gallery's rows of annotations."""

    queries: Queries
    encoded: EncodedParts
    images: pd.DataFrame
    gallery: Gallery
    kinds: Kinds


def evaluate_kinds(
    trained: Trained, table: pd.DataFrame, pack: ImagePack, params: Params
) -> dict[str, Any]:
    """Measure queries of all kinds on test and validation; those of test are drawn to `PLOTS`.

    Args:
        trained: the selected weights.
        table: all annotations whose image is in the pack.
        pack: all RGB images.
        params: of the experiment.

    Returns:
        "kinds" and "kinds_val", see `kinds_metrics`, and "controls", see `control_metrics`.

    Raises:
        ValueError: the modalities were not prepared, or lack a kind of query.
    """
    modalities, batch_size = load_modalities(MODALITIES), params.preset.evaluation.batch_size
    test, val = (
        measure_split(trained, modalities, table, split, pack, batch_size)
        for split in ("test", "val")
    )
    with replace_folder(PLOTS) as plots:
        controls = write_results(trained, test, pack, params.data.label, plots)
    metrics = {"kinds": kinds_metrics(test.kinds), "kinds_val": kinds_metrics(val.kinds)}
    averages = "  ".join(f"{name} {metrics['kinds'][name]['map']:.2f}" for name in AVERAGES)
    print(f"test mAP: {averages}  score {test.kinds.score:.2f}")
    return metrics | {"controls": controls}


def measure_split(
    trained: Trained,
    modalities: Modalities,
    table: pd.DataFrame,
    split: str,
    pack: ImagePack,
    batch_size: int,
) -> Measured:
    """Rank the RGB images of a split for its queries of all kinds."""
    print(f"clip_mer: queries of all kinds, {split}")
    model = trained.model
    assert isinstance(model, ClipMer)
    queries = make_queries(
        modalities, split, trained.tokenizer, trained.network.max_tokens, model.caption_fields
    )
    rows = table[(table["split"] == split) & (table["image_id"] != NO_IMAGE)]
    images = rows.drop_duplicates("image_id")
    gallery = encode_gallery(model, images, pack, batch_size)
    encoded = encode_parts(model, queries, batch_size)
    return Measured(queries, encoded, images, gallery, rank_kinds(model, queries, encoded, gallery))


@torch.inference_mode()
@fast_products()
def encode_gallery(
    model: ClipMer, images: pd.DataFrame, pack: ImagePack, batch_size: int
) -> Gallery:
    """The RGB images of a table with `image_id` and `pid`, in its order."""
    device = next(model.parameters()).device
    image_ids = images["image_id"].to_numpy(np.int64)
    batches = image_batches(pack, image_ids, model.normalisation, batch_size)
    parts = []
    with progress_bar("encoding gallery", total=len(image_ids), unit="image") as bar:
        for batch in batches:
            parts.append(model.encode_image(batch.to(device)).cpu())
            bar.update(len(batch))
    return Gallery(torch.cat(parts), images["pid"].to_numpy(np.int64))


def kinds_metrics(kinds: Kinds) -> dict[str, Any]:
    """As `metrics/<system>.json` has them, percent.

    R@1, R@5, R@10, mAP and mINP are plain means over the kinds of one part ("one"), of two, three
    and four; "score" is the mean of the four mAPs.
    """
    averages = kinds.averages().items()
    metrics: dict[str, Any] = {
        average: {name: round(value, 3) for name, value in values.items()}
        for average, values in averages
    }
    return metrics | {"score": round(kinds.score, 3)}


def write_results(
    trained: Trained, test: Measured, pack: ImagePack, dataset: str, plots: Path
) -> dict[str, dict[str, float]]:
    """Write tables and figures of the test split; returns the metrics of the controls."""
    model, queries, kinds, gallery = trained.model, test.queries, test.kinds, test.gallery
    assert isinstance(model, ClipMer)
    precisions = {name: ranking.average_precision for name, ranking in kinds.rankings.items()}
    pids = {kind: queries.pids[rows] for kind, rows in queries.rows_by_kind().items()}
    controls = measure_controls(model, queries, test.encoded, gallery, SEED)
    compared = {
        kind: compare_kind(precisions[kind], of, pids[kind]) for kind, of in controls.items()
    }
    averages = compare_averages(precisions, controls, pids)
    write_kinds(plots / "kinds.csv", kinds, compared)
    write_parts(plots / "parts.csv", kinds, compared)
    write_queries(plots / "queries.csv", queries, kinds)
    where = f"{dataset}, test"
    title = f"clip_mer: mAP by kind of query, {where}"
    draw_heat_map(plots / "kinds.png", title, kinds.metrics(), kinds.averages(), compared)
    title = f"clip_mer: fusion and its controls, {where}"
    draw_controls(plots / "controls.png", title, averages)
    grown = grow(model, queries, test.encoded, gallery, choose_rows(queries, SHOWN, SEED))
    image_ids = test.images["image_id"].to_numpy(np.int64)
    title = f"clip_mer: queries that grow part by part, {where}"
    draw_query_sheet(
        plots / "queries.png",
        title,
        grown,
        gallery.pids,
        lambda items: pack.read(pack.row_of(image_ids[items])),
    )
    return control_metrics(averages)
