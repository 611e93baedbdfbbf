"""One trained system on the foils: metrics, results of each case, and sheets."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ubg.data.images.image_pack import ImagePack
from ubg.data.prepared import NO_IMAGE
from ubg.data.text.captions import TokenisedCaptions
from ubg.foils.cases import FOILS, TESTS, Rows, as_rows, read_cases
from ubg.foils.measuring.images import FoilImages
from ubg.foils.measuring.judge import ScorePairs, judge, rank_one, summarise
from ubg.foils.measuring.results import write_results
from ubg.foils.measuring.sheet import choose_cases, draw_foil_sheet
from ubg.params import Params
from ubg.retrieval.code_score import (
    BY_BOTH,
    BY_EMBEDDINGS,
    CodeScore,
    read_codes,
    score_captions,
    score_pairs,
)
from ubg.retrieval.encode import encode_split, make_split
from ubg.systems.contract import Trained

SHEET_CASES = 8
CAPTIONS_AT_ONCE = 2048

ScoreTexts: TypeAlias = Callable[[NDArray[np.int64]], NDArray[np.float64]]


@dataclass(frozen=True)
class Scores:
    """One way to score texts and images.

    Attributes:
        pairs: how well single pairs match.
        other_C: of the caption of each of C cases and the picture of another person, the highest
            score; None where captions alone are changed.
    """

    pairs: ScorePairs
    other_C: NDArray[np.float64] | None


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
    scores = score_foils(trained, score, rows, images, params.preset.evaluation.batch_size)
    for suffix, by in scores.items():
        results = judge(rows, by.pairs)
        if by.other_C is not None:
            results |= rank_one(rows, by.pairs, by.other_C)
        metrics[f"foils{suffix}"] = summarise(kinds, results)
        right |= {f"{measure}{suffix}": values for measure, values in results.items()}
        told = "  ".join(f"{key} {value:.2f}" for key, value in metrics[f"foils{suffix}"].items())
        print(f"foils{suffix}: {told}" + ("" if drawn else f" ({TESTS[drawn]})"))
    write_results(output / "foils.csv", cases, right)
    last, by = list(scores.items())[-1]
    leading = right[f"{'group' if drawn else 'caption'}{last}"]
    for word, wanted in (("right", leading), ("wrong", ~leading)):
        chosen = choose_cases(kinds, wanted, rows.person_C, SHEET_CASES)
        draw_foil_sheet(
            output / f"foils_{word}.png",
            f"{name}: foils told {word}, {params.data.label}",
            [cases[case] for case in chosen],
            rows.only(chosen),
            by.pairs,
            images,
        )
    return metrics


def score_foils(
    trained: Trained, score: CodeScore | None, rows: Rows, images: ImagePack, batch_size: int
) -> dict[str, Scores]:
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

    def cosines(text_B: NDArray[np.int64]) -> NDArray[np.float64]:
        return text_TD[text_B] @ image_GD.T

    def others(score_texts: ScoreTexts) -> NDArray[np.float64] | None:
        return None if rows.foil_image_C is None else best_of_others(rows, score_texts)

    scores = {BY_EMBEDDINGS: Scores(cosine, others(cosines))}
    if score is None:
        return scores
    device = next(trained.model.parameters()).device
    codes_GL = read_codes(score, split.image_ids, images, batch_size)
    known_P = np.unique(rows.pairs())
    pairs_P2 = np.stack(np.divmod(known_P, len(rows.image_ids)), axis=1)
    added_P = score_pairs(score, split.captions, codes_GL, pairs_P2, batch_size, device)

    def both(text_P: NDArray[np.int64], image_P: NDArray[np.int64]) -> NDArray[np.float64]:
        place_P = np.searchsorted(known_P, text_P * len(rows.image_ids) + image_P)
        return cosine(text_P, image_P) + added_P[place_P]

    def both_of_texts(text_B: NDArray[np.int64]) -> NDArray[np.float64]:
        captions = TokenisedCaptions(
            trained.tokenizer,
            [rows.texts[text] for text in text_B],
            trained.network.max_tokens,
            trained.model.caption_fields,
        )
        return cosines(text_B) + score_captions(score, captions, codes_GL, batch_size, device)

    return scores | {BY_BOTH: Scores(both, others(both_of_texts))}


def best_of_others(rows: Rows, score_texts: ScoreTexts) -> NDArray[np.float64]:
    """The highest score of each case's caption with a picture, or a twin, of another person, [C].

    Args:
        rows: of C cases with twins.
        score_texts: B texts to their scores with all G images, [B, G].
    """
    assert rows.foil_image_C is not None
    person_G = np.empty(len(rows.image_ids), np.int64)
    person_G[rows.image_C] = rows.person_C
    person_G[rows.foil_image_C] = rows.person_C
    other_C = np.empty(len(rows.caption_C))
    for start in range(0, len(other_C), CAPTIONS_AT_ONCE):
        some = slice(start, start + CAPTIONS_AT_ONCE)
        score_BG = score_texts(rows.caption_C[some])
        own_BG = person_G == rows.person_C[some, None]
        other_C[some] = np.where(own_BG, -np.inf, score_BG).max(axis=1)
    return other_C


def foil_table(rows: Rows) -> pd.DataFrame:
    """Texts and images as a split of their own: queries without an image, images without text."""
    texts = pd.DataFrame({"image_id": NO_IMAGE, "caption": rows.texts})
    images = pd.DataFrame({"image_id": rows.image_ids, "caption": ""})
    table = pd.concat([texts, images], ignore_index=True)
    return table.assign(split="test", pid=0, caption_id=np.arange(len(table)))
