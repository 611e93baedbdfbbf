"""One trained system measured and pictured: what `stages/evaluate.py` calls."""

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ubg.calibration import calibrate, calibration_of, write_calibration
from ubg.data.images.image_pack import IMAGES, ImagePack
from ubg.data.prepared import NO_IMAGE, PREPARED, load_prepared
from ubg.evaluation.cmc import chance_cmc, cmc_records, draw_cmc
from ubg.evaluation.headline import headline, write_headline
from ubg.evaluation.measure import Measured, best_device, measure_split, metrics_lines
from ubg.evaluation.queries import write_queries
from ubg.evaluation.retrieval_sheet import RetrievedQuery, choose_queries, draw_retrieval_sheet
from ubg.evaluation.similarities import count_similarities, draw_similarities
from ubg.foils.measuring.evaluate import evaluate_foils
from ubg.params import Params
from ubg.retrieval.code_score import BY_BOTH, BY_EMBEDDINGS, CodeScore
from ubg.retrieval.encode import Split
from ubg.runtime.files import replace_folder, write_json
from ubg.systems import system_named
from ubg.systems.contract import Trained
from ubg.trained import load_trained

MAX_RANK = 50
SHEET_QUERIES, SHEET_MATCHES = 8, 10
# By what a ranking is made: in the title of its sheets, and beside an image.
SHEET_WORDS = {
    BY_EMBEDDINGS: ("", "cosine similarity"),
    BY_BOTH: (", both scores", "its score by both"),
}


def evaluate_system(name: str, params: Params) -> None:
    """Write `metrics/<name>.json`, its headline, `plots/<name>/evaluation/` and the calibration.

    The metrics are those of the weights selected on validation, for the test and the validation
    split; under "last" the same for the weights after the last epoch; and what the system measures
    besides retrieval. The figures and `queries.csv` are for the selected weights on test. Where the
    system has a second score, the selected weights are measured by both scores too. The calibration
    is of the selected weights and the captions of the validation split, for search.
    """
    system = system_named(name)
    pack = ImagePack(IMAGES)
    table = pack.rows_present(load_prepared(PREPARED))
    folder = Path("models") / name
    batch_size = params.preset.evaluation.batch_size

    def measure(
        trained: Trained, split: str, weights: str, score: CodeScore | None = None
    ) -> Measured:
        print(f"{name}, {weights} weights, {split}")
        return measure_split(trained, table, split, pack, batch_size, score)

    selected = load_trained(folder, "model.safetensors")
    selected.model.to(best_device())
    score = system.code_score(selected, folder)
    test = measure(selected, "test", "selected", score)
    with replace_folder(Path("plots") / name / "evaluation") as plots:
        draw_figures(plots, name, params.data.label, test, pack)
        foils = evaluate_foils(name, selected, score, pack, params, plots)
    val = measure(selected, "val", "selected", score)
    calibration = calibrate(val.split, val.features, val.added_TI, folder)
    write_calibration(calibration_of(folder), calibration)
    metrics: dict[str, Any] = {"test": test.metrics(), "val": val.metrics()}
    last = load_trained(folder, "last.safetensors")
    last.model.to(best_device())
    metrics["last"] = {split: measure(last, split, "last").metrics() for split in ("test", "val")}
    metrics |= system.evaluate(selected, table, pack, params)
    metrics |= foils
    write_json(Path("metrics") / f"{name}.json", metrics)
    write_headline(name, headline(metrics, system.shown))
    print(metrics_lines("test", metrics["test"]))
    print(f"written to metrics/{name}.json, plots/{name}/evaluation and {folder}_calibration.json")


def draw_figures(folder: Path, name: str, dataset: str, test: Measured, pack: ImagePack) -> None:
    """Write the figures of a system on the test split, and `queries.csv`.

    There are queries and sheets of each ranking; their names end in its suffix.
    """
    split, label = test.split, f"{dataset}, test"
    text_QD, image_GD = test.features.text_QD.numpy(), test.features.image_GD.numpy()
    text_pids, image_pids = split.text_pids, split.image_pids
    max_rank = min(MAX_RANK, len(image_pids), len(text_pids))
    curves = {}
    for suffix, ranked in test.ranked.items():
        curves[f"t2i{suffix}"] = ranked.text_to_image.cmc(max_rank)
        curves[f"i2t{suffix}"] = ranked.image_to_text.cmc(max_rank)
    chance = {
        "t2i": chance_cmc(text_pids, image_pids, max_rank),
        "i2t": chance_cmc(image_pids[~test.distractors], text_pids, max_rank),
    }
    draw_cmc(folder / "cmc.png", name, label, curves, chance)
    write_json(folder / "cmc.json", cmc_records(curves))
    counts = count_similarities(text_QD, image_GD, text_pids, image_pids)
    draw_similarities(folder / "similarities.png", name, label, counts)
    for suffix, ranked in test.ranked.items():
        found = ranked.text_to_image
        write_queries(folder / f"queries{suffix}.csv", split.table, found)
        chosen = choose_queries(found.average_precision, found.first_rank, text_pids, SHEET_QUERIES)
        by, measure = SHEET_WORDS[suffix]
        for kind, queries in zip(("best", "worst"), chosen, strict=True):
            draw_retrieval_sheet(
                folder / f"{kind}_queries{suffix}.png",
                f"{name}{by}: {kind} queries, {label}",
                [_retrieved(q, test, suffix) for q in queries],
                image_pids,
                partial(_read_gallery, pack, split),
                measure,
            )


def _retrieved(query: int, test: Measured, suffix: str) -> RetrievedQuery:
    """The best matches of one query, ties to the lower gallery index."""
    split, ranking = test.split, test.ranked[suffix].text_to_image
    score_G = test.features.image_GD.numpy() @ test.features.text_QD[query].numpy()
    if suffix == BY_BOTH:
        assert test.added_TI is not None
        score_G = score_G + test.added_TI[query]
    order = np.argsort(-score_G, kind="stable")
    top = order[:SHEET_MATCHES]
    described = split.table["image_id"].iloc[query]
    image = image_rank = None
    if described != NO_IMAGE:
        image = int(np.flatnonzero(split.image_ids == described)[0])
        image_rank = 1 + int(np.flatnonzero(order == image)[0])
    return RetrievedQuery(
        caption=split.table["caption"].iloc[query],
        pid=int(split.text_pids[query]),
        image=image,
        image_rank=image_rank,
        top=top,
        scores=score_G[top],
        average_precision=float(ranking.average_precision[query]),
        first_rank=int(ranking.first_rank[query]),
    )


def _read_gallery(pack: ImagePack, split: Split, items: NDArray[np.int64]) -> NDArray[np.uint8]:
    return pack.read(pack.row_of(split.image_ids[items]))
