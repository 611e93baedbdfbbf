"""One trained system measured and pictured: what `stages/evaluate.py` calls."""

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ubg.data.image_pack import NO_IMAGE, ImagePack
from ubg.data.prepare import load_prepared
from ubg.files import replace_folder, write_json
from ubg.model_folder import load_trained
from ubg.params import Params
from ubg.report.cmc import chance_cmc, cmc_records, draw_cmc
from ubg.report.queries import write_queries
from ubg.report.retrieval_sheet import RetrievedQuery, choose_queries, draw_retrieval_sheet
from ubg.report.similarities import count_similarities, draw_similarities
from ubg.report.style import dataset_label
from ubg.retrieval.encode import Features, Split, encode_split, make_split
from ubg.retrieval.metrics import summarise
from ubg.retrieval.ranking import Ranking, bidirectional_ranks

MAX_RANK = 50
SHEET_QUERIES, SHEET_MATCHES = 8, 10


def evaluate_system(system: str, params: Params) -> None:
    """Write `metrics/<system>.json` and the figures in `plots/<system>/evaluation/`.

    Metrics are those of the weights selected on validation, on test and on validation; below
    "last" the same of the weights after the last epoch. Figures and, beside them, `queries.csv`
    show the selected weights on test.
    """
    pack = ImagePack("data/images")
    table = pack.rows_present(load_prepared("data/prepared"))
    folder = Path("models") / system

    metrics: dict[str, Any] = {}
    for name, weights in (("selected", "model.safetensors"), ("last", "last.safetensors")):
        model, tokenizer, trained_with = load_trained(folder, weights)
        model.to(best_device())
        measured: dict[str, Any] = {}
        for split_name in ("test", "val"):
            max_tokens = trained_with.tokenizer.max_tokens
            split = make_split(table, split_name, tokenizer, max_tokens, model.caption_fields)
            print(f"{system}, {name} weights, {split_name}")
            features = encode_split(model, split, pack, params.model.evaluation.batch_size)
            text_to_image, image_to_text = bidirectional_ranks(
                features.text_QD, features.image_GD, split.text_pids, split.image_pids
            )
            measured[split_name] = {
                "t2i": rounded(summarise(text_to_image)),
                "i2t": rounded(summarise(image_to_text)),
            }
            if (name, split_name) == ("selected", "test"):
                label = dataset_label(params.data.title, params.data.synthetic) + ", test"
                _draw_figures(system, label, split, features, text_to_image, image_to_text, pack)
        metrics |= measured if name == "selected" else {name: measured}
    if system == "phase4":
        from ubg.report.generation import evaluate_generation

        metrics |= evaluate_generation(folder, table, pack, params)
    write_json(Path("metrics") / f"{system}.json", metrics)
    for direction, values in metrics["test"].items():
        print(f"test {direction}: " + "  ".join(f"{name} {v:.2f}" for name, v in values.items()))
    print(f"written to metrics/{system}.json and plots/{system}/evaluation")


def best_device() -> str:
    """The GPU where there is one."""
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def _draw_figures(
    system: str,
    label: str,
    split: Split,
    features: Features,
    text_to_image: Ranking,
    image_to_text: Ranking,
    pack: ImagePack,
) -> None:
    text_QD, image_GD = features.text_QD.numpy(), features.image_GD.numpy()
    text_pids, image_pids = split.text_pids, split.image_pids
    max_rank = min(MAX_RANK, len(image_pids), len(text_pids))
    curves = {"t2i": text_to_image.cmc(max_rank), "i2t": image_to_text.cmc(max_rank)}
    chance = {
        "t2i": chance_cmc(text_pids, image_pids, max_rank),
        "i2t": chance_cmc(image_pids, text_pids, max_rank),
    }
    with replace_folder(Path("plots") / system / "evaluation") as folder:
        draw_cmc(folder / "cmc.png", system, label, curves, chance)
        write_json(folder / "cmc.json", cmc_records(curves))
        write_queries(folder / "queries.csv", split.table, text_to_image)
        counts = count_similarities(text_QD, image_GD, text_pids, image_pids)
        draw_similarities(folder / "similarities.png", system, label, counts)
        chosen = choose_queries(
            text_to_image.average_precision, text_to_image.first_rank, text_pids, SHEET_QUERIES
        )
        for name, queries in zip(("best", "worst"), chosen, strict=True):
            draw_retrieval_sheet(
                folder / f"{name}_queries.png",
                f"{system}: {name} queries, {label}",
                [_retrieved(q, split, text_QD, image_GD, text_to_image) for q in queries],
                image_pids,
                partial(_read_gallery, pack, split),
            )


def _retrieved(
    query: int,
    split: Split,
    text_QD: NDArray[np.float32],
    image_GD: NDArray[np.float32],
    ranking: Ranking,
) -> RetrievedQuery:
    """The best matches of one query, ties to the lower gallery index."""
    similarity_G = image_GD @ text_QD[query]
    top = np.argsort(-similarity_G, kind="stable")[:SHEET_MATCHES]
    described = split.table["image_id"].iloc[query]
    image = None
    if described != NO_IMAGE:
        image = int(np.flatnonzero(split.image_ids == described)[0])
    return RetrievedQuery(
        caption=split.table["caption"].iloc[query],
        pid=int(split.text_pids[query]),
        image=image,
        top=top,
        scores=similarity_G[top],
        average_precision=float(ranking.average_precision[query]),
        first_rank=int(ranking.first_rank[query]),
    )


def _read_gallery(pack: ImagePack, split: Split, items: NDArray[np.int64]) -> NDArray[np.uint8]:
    return pack.read(pack.row_of(split.image_ids[items]))


def rounded(values: dict[str, float]) -> dict[str, float]:
    return {name: round(value, 3) for name, value in values.items()}
