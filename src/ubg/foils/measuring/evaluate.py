"""One trained system on the foils: metrics, results of each case, and sheets."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ubg.data.images.image_pack import ImagePack
from ubg.data.prepared import NO_IMAGE
from ubg.foils.cases import FOILS, TESTS, Rows, as_rows, read_cases
from ubg.foils.measuring.images import FoilImages
from ubg.foils.measuring.judge import ScorePairs, judge, summarise
from ubg.foils.measuring.results import write_results
from ubg.foils.measuring.sheet import choose_cases, draw_foil_sheet
from ubg.params import Params
from ubg.retrieval.code_score import BY_BOTH, BY_EMBEDDINGS, CodeScore, read_codes, score_pairs
from ubg.retrieval.encode import encode_split, make_split
from ubg.systems.contract import Trained

SHEET_CASES = 8


def evaluate_foils(
    name: str,
    trained: Trained,
    score: CodeScore | None,
    pack: ImagePack,
    params: Params,
    output: Path,
) -> dict[str, Any]:
    """Judge every case; write `foils.csv` and the sheets `foils_right.png`, `foils_wrong.png`.

    Args:
        name: of the system.
        trained: the system.
        score: its second score, if it has one.
        pack: the images of the data set, for foils without pictures of their own.
        params: of the evaluation.
        output: folder of the results.

    Returns:
        What goes into `metrics/<system>.json`: `foils` by cosine similarity, and where there is a
        second score `foils_generative` by both. The sheets are by the last of them.
    """
    cases, drawn = read_cases(FOILS)
    if not drawn:
        packed = set(pack.image_ids.tolist())
        cases = [case for case in cases if case.image in packed]
    if not cases:
        write_results(output / "foils.csv", cases, {})
        return {}
    rows = as_rows(cases, drawn)
    images = FoilImages(FOILS, rows.image_ids, trained.network.image) if drawn else pack
    kinds = np.array([case.kind for case in cases], np.str_)
    metrics: dict[str, Any] = {}
    right: dict[str, NDArray[np.bool_]] = {}
    scores = pair_scores(trained, score, rows, images, params.preset.evaluation.batch_size)
    for suffix, score_of_pairs in scores.items():
        results = judge(rows, score_of_pairs)
        metrics[f"foils{suffix}"] = summarise(kinds, results)
        right |= {f"{measure}{suffix}": values for measure, values in results.items()}
        told = "  ".join(f"{key} {value:.2f}" for key, value in metrics[f"foils{suffix}"].items())
        print(f"foils{suffix}: {told}" + ("" if drawn else f" ({TESTS[drawn]})"))
    write_results(output / "foils.csv", cases, right)
    last, pair_score = list(scores.items())[-1]
    leading = right[f"{'group' if drawn else 'caption'}{last}"]
    for word, wanted in (("right", leading), ("wrong", ~leading)):
        chosen = choose_cases(kinds, wanted, rows.person_C, SHEET_CASES)
        draw_foil_sheet(
            output / f"foils_{word}.png",
            f"{name}: foils told {word}, {params.data.label}",
            [cases[case] for case in chosen],
            rows.only(chosen),
            pair_score,
            images,
        )
    return metrics


def pair_scores(
    trained: Trained, score: CodeScore | None, rows: Rows, images: ImagePack, batch_size: int
) -> dict[str, ScorePairs]:
    """By embeddings alone and, where there is a second score, by both; see `Measured.ranked`."""
    split = make_split(
        foil_table(rows),
        "test",
        trained.tokenizer,
        trained.network.max_tokens,
        trained.model.caption_fields,
    )
    features = encode_split(trained.model, split, images, batch_size)
    text_TD = features.text_QD.double().numpy()
    image_GD = features.image_GD.double().numpy()

    def cosine(text_P: NDArray[np.int64], image_P: NDArray[np.int64]) -> NDArray[np.float64]:
        similarity_P: NDArray[np.float64] = np.einsum(
            "pd,pd->p", text_TD[text_P], image_GD[image_P]
        )
        return similarity_P

    if score is None:
        return {BY_EMBEDDINGS: cosine}
    device = next(trained.model.parameters()).device
    codes_GL = read_codes(score, split.image_ids, images, batch_size)
    known_P = np.unique(rows.pairs())
    pairs_P2 = np.stack(np.divmod(known_P, len(rows.image_ids)), axis=1)
    added_P = score_pairs(score, split.captions, codes_GL, pairs_P2, batch_size, device)

    def both(text_P: NDArray[np.int64], image_P: NDArray[np.int64]) -> NDArray[np.float64]:
        place_P = np.searchsorted(known_P, text_P * len(rows.image_ids) + image_P)
        return cosine(text_P, image_P) + added_P[place_P]

    return {BY_EMBEDDINGS: cosine, BY_BOTH: both}


def foil_table(rows: Rows) -> pd.DataFrame:
    """Texts and images as a split of their own: queries without an image, images without text."""
    texts = pd.DataFrame({"image_id": NO_IMAGE, "caption": rows.texts})
    images = pd.DataFrame({"image_id": rows.image_ids, "caption": ""})
    table = pd.concat([texts, images], ignore_index=True)
    return table.assign(split="test", pid=0, caption_id=np.arange(len(table)))
